#!/usr/bin/perl
# The guest's health server: one connection, one child, one answer on /healthz. What it answers is one line in
# /run/vmhealth/health: "status N", "redirect LOCATION", "hang", "slow SECONDS"; absent means "status 200".
use strict;
use warnings;
use Socket;

my $port = 1500;
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
bind($listener, sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
listen($listener, 128) or die "listen: $!";
$SIG{CHLD} = 'IGNORE';

while (1) {
    accept(my $client, $listener) or next;
    my $child = fork;
    next if !defined $child || $child;
    close $listener;
    alarm 600;
    answer($client);
    exit 0;
}

sub answer {
    my ($client) = @_;
    my $head = '';
    while ($head !~ /\r?\n\r?\n/ && length $head < 65536) {
        my $n = sysread $client, my $chunk, 4096;
        return if !$n;
        $head .= $chunk;
    }
    my ($path) = $head =~ m{^[A-Z]+ (\S+)};
    my ($behaviour, $argument) = ('status', 200);
    if (open my $control, '<', '/run/vmhealth/health') {
        ($behaviour, $argument) = split ' ', <$control> // '';
    }
    if ($behaviour eq 'hang') { sleep 600; return }
    if ($behaviour eq 'slow') { select undef, undef, undef, $argument; ($behaviour, $argument) = ('status', 200) }
    my $location = '';
    if ($behaviour eq 'redirect') {
        # Only the probed page redirects, else a redirect could lead nowhere but to another one.
        if (($path // '') eq '/healthz') { $location = "Location: $argument\r\n"; $argument = 302 }
        else { $argument = 200 }
    }
    $argument = 404 if !defined $path || $path !~ m{^/healthz\b};
    my $body = "$argument\n";
    syswrite $client, "HTTP/1.1 $argument Health\r\n${location}Content-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

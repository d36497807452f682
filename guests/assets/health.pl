#!/usr/bin/perl
# The guest's health server: one connection, one child, one answer on /healthz. Arguments are more ports, and then it has every
# path: it stands in for what the manifest's probes ask; those like tls:8443 are asked by HTTPS, which tls.py puts in front of port 1500. What it answers is one line in /run/vmhealth/health: "status N", "redirect LOCATION", "hang", "slow SECONDS"; absent means "status 200".
use strict;
use warnings;
use Socket;

my $any = @ARGV;
my @tls = map { /^tls:(\d+)$/ ? $1 : () } @ARGV;
if (@tls) {
    # A child of this unit, so that what happens to the unit happens to it. 1500 is not there before it listens.
    open my $front, '-|', '/usr/bin/python3', '/usr/local/lib/vmhealth/tls.py', @tls or die "tls.py: $!";
    (<$front> // '') eq "ready\n" or die "tls.py does not listen";
    # Kept: its end is not waited for.
    our $kept = $front;
}
# 1500 comes last: whoever waits for it waits for all.
my @listeners = grep { defined } map { listener($_) } (grep { !/^tls:/ } @ARGV), 1500;
$SIG{CHLD} = 'IGNORE';

while (1) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for @listeners;
    select($ready, undef, undef, undef) > 0 or next;
    for my $listener (grep { vec $ready, fileno $_, 1 } @listeners) {
        accept(my $client, $listener) or next;
        my $child = fork;
        next if !defined $child || $child;
        close $_ for @listeners;
        alarm 600;
        answer($client);
        exit 0;
    }
}

# A port that a service of the user's has is that service's.
sub listener {
    my ($port) = @_;
    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!bind($listener, sockaddr_in($port, INADDR_ANY)) || !listen($listener, 128)) {
        die "port $port: $!" if $port == 1500;
        warn "port $port: $!";
        return;
    }
    return $listener;
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
        my $probed = $any ? ($path // '') ne $argument : ($path // '') eq '/healthz';
        if ($probed) { $location = "Location: $argument\r\n"; $argument = 302 }
        else { $argument = 200 }
    }
    $argument = 404 if !defined $path || !$any && $path !~ m{^/healthz\b};
    my $body = "$argument\n";
    syswrite $client, "HTTP/1.1 $argument Health\r\n${location}Content-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

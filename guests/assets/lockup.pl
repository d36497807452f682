# Keeps each CPU of this guest in its kernel, by a loop in a BPF program that runs where the kernel itself has forbidden all else:
#   hang in the scheduler, which has interrupts off. It has no end.
#   lock at the beginning of a system call, where only other programs are kept out, for so many seconds.
# What it does is said on the console first: there is nobody left to say it afterwards. Arguments: which, how long, and the words
# that begin a line on the console of what there is, and of what is lacking.
use strict;
use warnings;
use POSIX ();

my ($what, $seconds, $says, $lacks) = @ARGV;
my $machine = (POSIX::uname)[4];
$machine eq 'x86_64' or lack("its system calls are not known on $machine");
my ($BPF, $CLOCK_GETTIME, $MONOTONIC) = (321, 228, 1);
my ($PROG_LOAD, $RAW_TRACEPOINT_OPEN, $BTF_LOAD) = (5, 17, 18);
my ($RAW_TRACEPOINT, $BPF_LOOP, $KTIME_GET_NS) = (17, 181, 5);
# A loop has at most so many rounds, so loops are in loops: 2 of them take days, 3 ages.
my ($ROUNDS, $LOOPS) = (1 << 23, 3);

my $name = $what eq 'hang' ? 'sched_switch' : 'sys_enter';
my $end = $what eq 'hang' ? '' : pack 'q', now() + $seconds * 1e9;
my @functions = map { looping($_ < $LOOPS) } 0 .. $LOOPS;
my ($code, @starts) = ('');
for my $function (@functions) { push @starts, length($code) / 8; $code .= $function }

# Each function is one of a type, as the kernel wants to know of those that are called back.
my $types = pack('LLLL', 1, 1 << 24, 4, 0x01000020) . pack('LLL', 0, 13 << 24, 1) . pack('LLL', 5, 12 << 24, 2);
my $strings = "\0int\0f\0";
my $btf = pack('SCCLLLLL', 0xeb9f, 1, 0, 24, 0, length $types, length $types, length $strings) . $types . $strings;
my $btf_fd = bpf($BTF_LOAD, pack('QQLLL', at($btf), 0, length $btf, 0, 0));
my $infos = join '', map { pack 'LL', $_, 3 } @starts;
my ($license, $log) = ("GPL\0", "\0" x 65536);
my $load = pack('LLQQLLQLL', $RAW_TRACEPOINT, length($code) / 8, at($code), at($license), 1, length $log, at($log), 0, 0);
$load .= "\0" x 16 . pack('LLLLQLL', 0, 0, $btf_fd, 8, at($infos), scalar @starts, 0);
my $program = bpf($PROG_LOAD, $load);

console($says . 'its kernel loops ' . ($what eq 'hang' ? 'with interrupts off' : 'and lets no program run'));
my $tracepoint = "$name\0";
my $fd = bpf($RAW_TRACEPOINT_OPEN, pack('QLL', at($tracepoint), $program, 0));
# Here it loops, at the latest; without the descriptor the loop would be no more.
select undef, undef, undef, 0.01 while $what eq 'hang' || now() < unpack 'q', $end;

# One that calls the next so often, or the last of them.
sub looping {
    my ($calls) = @_;
    my $next = $calls ? insn(0xb7, 1, 0, 0, $ROUNDS) . insn(0x18, 2, 4, 0, 0) . insn(0, 0, 0, 0, 0)
        . insn(0xb7, 3, 0, 0, 0) . insn(0xb7, 4, 0, 0, 0) . insn(0x85, 0, 0, 0, $BPF_LOOP) : '';
    my $is_over = $end eq '' ? '' : insn(0x85, 0, 0, 0, $KTIME_GET_NS) . insn(0x18, 1, 0, 0, unpack 'l', $end)
        . insn(0, 0, 0, 0, unpack 'x4l', $end) . insn(0xad, 0, 1, 2, 0) . insn(0xb7, 0, 0, 0, 1) . insn(0x95, 0, 0, 0, 0);
    my $whole = $next . $is_over . insn(0xb7, 0, 0, 0, 0) . insn(0x95, 0, 0, 0, 0);
    # How far it is from the word that names it to its beginning.
    substr($whole, 12, 4) = pack 'l', length($whole) / 8 - 2 if $calls;
    return $whole;
}

# Operation, destination, source, offset, number.
sub insn { my ($op, $to, $from, $offset, $number) = @_; return pack 'CCsl', $op, $to | $from << 4, $offset, $number }
sub at { return unpack 'Q', pack 'P', $_[0] }

sub bpf {
    my ($command, $attributes) = @_;
    my $found = syscall $BPF, $command, $attributes, length $attributes;
    lack("bpf($command): $!" . join ' ', '', grep { length } split /[\n\0]+/, $log // '') if $found < 0;
    return $found;
}

sub now {
    my $time = "\0" x 16;
    syscall $CLOCK_GETTIME, $MONOTONIC, $time;
    my ($s, $ns) = unpack 'qq', $time;
    return $s * 1_000_000_000 + $ns;
}

# Whoever loops with interrupts off sends nothing more: it waits until all of it is out.
sub console {
    open my $console, '>', '/dev/console' or exit 9;
    syswrite $console, "$_[0]\n";
    POSIX::tcdrain(fileno $console);
}

sub lack { console("$lacks$_[0]"); exit 9 }

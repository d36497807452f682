# Makes a fork a machine of its own; runs in the guest, through the agent, before it is verified.
# In: NOW (seconds since the epoch), SEED (random, hex).
date -s "@$NOW" >/dev/null
# RNDRESEEDCRNG: what is written counts at once, not at the kernel's next reseed.
perl -e 'open my $r, ">", "/dev/urandom" or die; syswrite $r, $ARGV[0]; ioctl $r, 0x5207, 0 or die "RNDRESEEDCRNG: $!"' "$SEED" || exit 9
# The kernel's own is the template's: two forks are two boots.
mkdir -p /run/vmhealth
cat /proc/sys/kernel/random/uuid >/run/vmhealth/boot_id
mount --bind /run/vmhealth/boot_id /proc/sys/kernel/random/boot_id || exit 9

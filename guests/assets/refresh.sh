# Makes a fork a machine of its own; runs in the guest, through the agent, before it is verified.
# In: NOW (seconds since the epoch), RESEED (1 where no vmgenid has told the kernel that it was forked).
date -s "@$NOW" >/dev/null || { echo "reason the fork's clock could not be set"; exit 0; }
if [ "$RESEED" = 1 ]; then
    # What the host's random device says goes in, and RNDRESEEDCRNG makes it count at once.
    perl -e 'open my $h, "<", "/dev/hwrng" or exit 1; sysread $h, my $b, 32 or exit 1; open my $u, ">", "/dev/urandom" or exit 1;
        syswrite $u, $b; ioctl $u, 0x5207, 0 or exit 1' || { echo "reason the fork's random numbers could not be reseeded"; exit 0; }
fi
# The kernel's own is the template's: two forks are two boots.
read -r id </proc/sys/kernel/random/uuid
echo "$id" >/run/vmhealth-boot-id
mount --bind /run/vmhealth-boot-id /proc/sys/kernel/random/boot_id || { echo "reason the fork got no boot id of its own"; exit 0; }

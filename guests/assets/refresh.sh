# Makes a fork a machine of its own; runs in the guest, through the agent, before it is verified.
# In: NOW (seconds since the epoch). The kernel has reseeded its random numbers already: vmgenid told it.
date -s "@$NOW" >/dev/null || { echo "reason the fork's clock could not be set"; exit 0; }
# The kernel's own is the template's: two forks are two boots.
read -r id </proc/sys/kernel/random/uuid
echo "$id" >/run/vmhealth-boot-id
mount --bind /run/vmhealth-boot-id /proc/sys/kernel/random/boot_id || { echo "reason the fork got no boot id of its own"; exit 0; }

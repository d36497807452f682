# Waits until nothing of the boot is left to do, and the disk has what the page cache has; runs in the guest, through the agent.
# What still went on would go on again in every fork.
n=0
while [ -n "$(systemctl list-jobs --no-legend 2>/dev/null)" ]; do
    n=$((n + 1))
    [ $n -gt 100 ] && { echo "systemd still has jobs: $(systemctl list-jobs --no-legend | head -n 3)" >&2; exit 9; }
    sleep 0.3
done
sync

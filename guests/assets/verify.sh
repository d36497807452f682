# Waits until this guest is as its profile says, or cannot become so; runs in the guest, through the agent.
# In: SEEDED DEVICE HEALTH FORKED (0 or 1), PETTER (daemon, systemd, busybox, theirs: set up by who knows what, none), MODULE, IDENTITY, HEARTBEAT,
# PANIC, LIMIT (seconds). Out: "boot ID", "fact ...", then "ready" or "reason ...". An active watchdog.service proves nothing (it
# runs for ever without its device): the device must be armed, held, with the right timeout, and written to again and again (but by systemd,
# which writes for other reasons, too). What a fork's template has shown is not looked at again.
# Few processes: under TCG every one is taken from the boot.
uptime() { read -r up _ </proc/uptime; up=${up%.*}; }
uptime
end=$((up + LIMIT))
late() { uptime; [ "$up" -ge "$end" ]; }
give_up() { echo "reason $*"; exit 0; }
value() { read -r value <"$1" 2>/dev/null || value=; }
find_wd() { for wd in /sys/class/watchdog/*; do value "$wd/identity"; if [ "$value" = "$IDENTITY" ]; then return 0; fi; done; return 1; }
# The name without a number is that of the first one.
holder() {
    case $wd in */watchdog0) also=/dev/watchdog;; *) also=none;; esac
    find /proc/[0-9]*/fd \( -lname "/dev/${wd##*/}" -o -lname $also \) 2>/dev/null | { IFS=/ read -r _ _ pid _ && echo "$pid"; }
}
writes() {
    writes=0
    [ -r "/proc/$1/io" ] && while read -r key n; do if [ "$key" = syscw: ]; then writes=$n; fi; done <"/proc/$1/io"
}

value /proc/sys/kernel/random/boot_id
echo "boot $value"
has() { command -v "$1" >/dev/null 2>&1; }
# A service may open its device some time after systemd's last job of the boot.
quiet=0
settled() { if [ -z "$(systemctl list-jobs --no-legend 2>&1)" ]; then quiet=$((quiet + 1)); else quiet=0; fi; [ $quiet -gt 30 ]; }
# Any but the kernel's own timer: QEMU acts on all of the machine's.
find_armed() {
    for wd in /sys/class/watchdog/*; do
        value "$wd/state" && [ "$value" = active ] && value "$wd/identity" && [ "$value" != "Software Watchdog" ] && return
    done
    return 1
}
# Before cloud-init, whose commands need it.
[ "$PETTER" != daemon ] || [ -x /usr/sbin/watchdog ] || give_up "the guest has no watchdog daemon: install the package watchdog in the image"
[ "$PETTER" != busybox ] || has busybox || give_up "the guest has no busybox: install the package busybox in the image"
if [ "$FORKED$SEEDED" = 01 ]; then
    has cloud-init || give_up "the image has no cloud-init: nothing of the user data was done; install cloud-init in the image"
    [ -e /run/cloud-init/disabled ] && give_up "cloud-init is disabled in the image: nothing of the user data was done; remove /etc/cloud/cloud-init.disabled, or let its datasource_list have NoCloud"
    until [ -e /run/cloud-init/result.json ]; do
        late && give_up "cloud-init has not finished; its stage: $(tail -n 1 /var/log/cloud-init.log 2>/dev/null)"
        sleep 0.5
    done
    errors=$(tr -d '\n ' </run/cloud-init/result.json | sed -n 's/.*"errors":\[\([^]]*\)\].*/\1/p')
    [ -n "$errors" ] && give_up "cloud-init reports errors: $errors (guests here have no way out: what is downloaded in a cluster must be in the image)"
    echo "fact cloud-init finished"
fi
if [ "$FORKED$DEVICE" = 01 ]; then
    if [ "$MODULE" = i6300esb ]; then
        if has lspci; then
            pci=$(lspci | grep -i watchdog) || give_up "lspci shows no watchdog device"
            echo "fact lspci: $pci"
        else
            grep -qsx 0x25ab /sys/bus/pci/devices/*/device || give_up "the guest's PCI bus has no i6300esb"
        fi
    fi
    # Nothing loads the driver of a device that is on no bus: without a daemon it may be absent.
    if [ "$MODULE" = i6300esb ] || [ "$PETTER" != none ]; then
        until find_wd; do
            kernel=$(uname -r)
            find /lib/modules/"$kernel" -name "$MODULE.ko*" 2>/dev/null | grep -q . ||
                grep -qs "/$MODULE.ko" /lib/modules/"$kernel"/modules.builtin ||
                give_up "no watchdog of this guest is \"$IDENTITY\": its kernel $kernel has no module $MODULE; install one that has it: linux-image-amd64 in place of Debian's cloud kernel, kernel-modules-extra or linux-modules-extra elsewhere"
            late && give_up "no watchdog of this guest is \"$IDENTITY\": the kernel has no driver for the device; load its module (modprobe $MODULE; in the user data: \`bootcmd: [[modprobe, $MODULE]]\`)"
            sleep 0.2
        done
        echo "fact /dev/${wd##*/}: $IDENTITY"
    fi
fi

if [ "$DEVICE$PETTER" = 1theirs ]; then
    until find_armed; do
        { late || settled; } && give_up "nothing in the guest has armed its watchdog: it will never fire; let something pet it. With Debian's package watchdog, in the user data's \`runcmd\`: \"sed -i 's|^#watchdog-device|watchdog-device|' /etc/watchdog.conf\", \"systemctl mask wd_keepalive\" (it would take over from the restart, and from a daemon that is killed) and \"systemctl restart watchdog\"; or RuntimeWatchdogSec= in /etc/systemd/system.conf"
        sleep 0.5
    done
    identity=$value
    value $wd/timeout; timeout=$value
    pid=$(holder); value "/proc/$pid/comm"
    if [ "$identity" = "$IDENTITY" ]; then own=; else own=" (the machine's own, not the manifest's)"; fi
    echo "fact armed: ${wd##*/}, $identity$own, timeout $timeout s, held by ${value:-nobody}"
fi

case $DEVICE$PETTER in 1daemon | 1busybox | 1systemd)
    case $PETTER in
        daemon) names="watchdog" unit=watchdog.service mend="set watchdog-device in /etc/watchdog.conf and watchdog_module in /etc/default/watchdog";;
        # The user's own call of it may have been the first.
        busybox) names="watchdog busybox" unit=vmhealth-watchdog.service mend="\`busybox watchdog DEVICE\` in the guest says why";;
        systemd) names="systemd" unit= mend="RuntimeWatchdogSec= in /etc/systemd/system.conf counts after \`systemctl daemon-reexec\`";;
    esac
    until find_wd && value $wd/state && [ "$value" = active ] && pid=$(holder) && [ -n "$pid" ]; do
        [ -n "$unit" ] && systemctl -q is-failed $unit && give_up "$unit has failed: $(systemctl show -P Result $unit)"
        late && give_up "the device is not armed${unit:+ although $unit is $(systemctl is-active $unit)}: $mend"
        sleep 0.2
    done
    writes "$pid"; before=$writes
    # Twice after a boot; a fork's template has shown it already, and it goes on.
    until [ $PETTER = systemd ] || { writes "$pid" && [ "$writes" -gt $((before + 1 - FORKED)) ]; }; do
        late && give_up "process $pid holds the device and does not pet it"
        # A daemon that has just forked itself into the background.
        { [ -n "$pid" ] && [ -e "/proc/$pid" ]; } || { pid=$(holder); writes "$pid"; before=$writes; }
        sleep 0.5
    done
    value "/proc/$pid/comm"; name=$value
    value $wd/timeout; timeout=$value
    value $wd/bootstatus
    [ "$timeout" = "$HEARTBEAT" ] || give_up "the device's timeout is $timeout s, the profile says $HEARTBEAT s"
    case " $names " in *" $name "*) ;; *) give_up "the device is held by $name, not by ${names% *}";; esac
    petted=" and petted"
    [ $PETTER = systemd ] && petted=
    echo "fact armed: timeout $timeout s, held$petted by $name, bootstatus $value"
esac

if [ "$PANIC" != 0 ]; then
    # Not by `read`: byte by byte a number of sysctl has no end.
    value=$(cat /proc/sys/kernel/panic)
    [ "$PANIC" = "$value" ] || give_up "kernel.panic is $value, the profile says $PANIC"
    echo "fact a panicked kernel reboots after $value s"
fi

if [ "$HEALTH" = 1 ]; then
    # 05DC is port 1500, 0A the state LISTEN.
    until grep -q ':05DC 00000000:0000 0A' /proc/net/tcp; do
        late && give_up "nothing listens on port 1500: vmhealth-health.service is $(systemctl is-active vmhealth-health.service)"
        sleep 0.2
    done
    echo "fact health server listens on port 1500"
fi
echo ready

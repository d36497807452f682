# Makes a Debian root fit for booting under TCG, and packs it. Runs as mmdebstrap's customize hook: $1 is the root,
# inside the (user) namespace that owns it. Configuration only: every program is the distribution's.
# Heads of sections say what each saves of a cold boot (README.md of this crate has the figures).
r=$1
release=$(ls "$r/usr/lib/modules")
modules=$r/usr/lib/modules/$release
units=$r/etc/systemd/system
out=$r/tmp/vmhealth-out
mkdir -p "$units" "$r/etc/cloud/cloud.cfg.d" "$out"

# --- a build for another architecture: Python and depmod run natively, from a tree of their own ($NATIVE), and the interpreter
# that was out of the packages' way comes back to its place
if [ -n "$NATIVE" ]; then
    root=/target
    mount --bind "$r" "$NATIVE/target"
    fast() { chroot "$NATIVE" "$@"; }
    mv "$r/usr/bin/$PYTHON.real" "$r/usr/bin/$PYTHON"
    rm "$r/var/lib/dpkg/diversions"
    touch "$r/var/lib/dpkg/diversions"
else
    root=
    fast() { chroot "$r" "$@"; }
fi

# --- what was installed, for the lock file
chroot "$r" dpkg-query -W -f '${Package} ${Version}\n' >"$out/installed"
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-cache dumpavail | awk '
    NR == FNR { installed[$1 " " $2] = 1; next }
    /^Package: / { name = $2 } /^Version: / { version = $2 }
    /^SHA256: / { if ((name " " version) in installed) print name, version, $2 }
' "$out/installed" - | LC_ALL=C sort -u >"$out/packages.lock"

# --- kernel, and the modules that a guest can need, uncompressed: unpacking xz costs a second of a TCG boot
cp "$r"/boot/vmlinuz-* "$out/vmlinuz"
cp "$r/usr/bin/busybox" "$out/busybox"
fast "$PYTHON" -c '
import lzma, os, sys
root, base, initramfs, wanted = sys.argv[1], sys.argv[1] + sys.argv[2], sys.argv[3].split(), sys.argv[4:]
out = root + "/tmp/vmhealth-out/modules"
name = lambda path: os.path.basename(path).split(".ko")[0].replace("-", "_")
needs = {k: v.split() for k, v in (line.rstrip("\n").split(":") for line in open(base + "/modules.dep"))}
by_name = {name(path): path for path in needs}
keep = set()
for path in filter(None, (by_name.get(w.replace("-", "_")) for w in wanted)):
    keep |= {path, *needs[path]}
for path in needs:
    full = base + "/" + path
    if path in keep and path.endswith(".xz"):
        with lzma.open(full) as packed, open(full[:-3], "wb") as plain:
            plain.write(packed.read())
    if path not in keep or path.endswith(".xz"):
        os.unlink(full)
order = []
for path in filter(None, (by_name.get(w) for w in initramfs)):
    order += [p for p in (*reversed(needs[path]), path) if p not in order]
os.makedirs(out)
with open(out + "/order", "w") as listing:
    for path in order:
        plain = path.removesuffix(".xz")
        listing.write(name(path) + ".ko\n")
        with open(base + "/" + plain, "rb") as source, open(out + "/" + name(path) + ".ko", "wb") as copy:
            copy.write(source.read())
' "$root" "/usr/lib/modules/$release" "virtio_blk crc32c_generic ext4" $KEEP_MODULES
find "$modules/kernel" -type d -empty -delete
fast depmod -b "$root/" "$release"

# --- units that only cost time in a guest that lives for minutes
mask() { for unit in "$@"; do ln -sfn /dev/null "$units/$unit"; done; }
mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer e2scrub_reap.service \
    man-db.timer systemd-tmpfiles-clean.timer systemd-timesyncd.service \
    systemd-binfmt.service proc-sys-fs-binfmt_misc.automount kmod-static-nodes.service \
    modprobe@configfs.service modprobe@drm.service modprobe@fuse.service modprobe@efi_pstore.service \
    modprobe@dm_mod.service modprobe@loop.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-pstore.service systemd-random-seed.service systemd-update-utmp.service \
    systemd-hibernate-clear.service systemd-networkd-persistent-storage.service systemd-udev-load-credentials.service \
    systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-pcrmachine.service \
    systemd-tpm2-setup.service systemd-tpm2-setup-early.service \
    getty@tty1.service serial-getty@ttyS0.service console-getty.service getty.target \
    ldconfig.service systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-update-done.service \
    systemd-sysusers.service systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-journal-flush.service systemd-networkd-wait-online.service systemd-remount-fs.service
rm -rf "$units/getty.target.wants"
mkdir -p "$r/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nAudit=no\n' >"$r/etc/systemd/journald.conf.d/90-vmhealth.conf"
printf '# The root is mounted read-write by the initramfs.\n' >"$r/etc/fstab"

# --- generators: each is a process or two at every boot and reload; only cloud-init's has a use here. Its
# replacement keeps its switches and leaves out ds-identify, since the datasource list is fixed.
mkdir -p "$r/etc/systemd/system-generators"
for generator in "$r"/usr/lib/systemd/system-generators/*; do
    ln -sfn /dev/null "$r/etc/systemd/system-generators/${generator##*/}"
done
rm "$r/etc/systemd/system-generators/cloud-init-generator"
# It makes units of the credentials by which a new VMI is told what is wrong with its boots.
rm "$r/etc/systemd/system-generators/systemd-debug-generator"
cat >"$r/etc/systemd/system-generators/cloud-init-generator" <<'GENERATOR'
#!/bin/sh
mkdir -p /run/cloud-init
read -r cmdline </proc/cmdline
case " $cmdline " in *" cloud-init=disabled "*) : >/run/cloud-init/disabled; exit 0;; esac
[ -e /etc/cloud/cloud-init.disabled ] && { : >/run/cloud-init/disabled; exit 0; }
: >/run/cloud-init/enabled
GENERATOR
chmod 755 "$r/etc/systemd/system-generators/cloud-init-generator"
mkdir -p "$units/multi-user.target.wants"
ln -sfn /usr/lib/systemd/system/cloud-init.target "$units/multi-user.target.wants/cloud-init.target"

# --- udev: the hardware database and the rules for hardware that no guest of ours has
rm -rf "$r/usr/lib/udev/hwdb.bin" "$r/usr/lib/udev/hwdb.d"
for rule in "$r"/usr/lib/udev/rules.d/*; do
    case ${rule##*/} in
        50-udev-default.rules|60-block.rules|60-input-id.rules|60-persistent-storage.rules|60-qemu-guest-agent.rules|70-power-switch.rules|\
        73-special-net-names.rules|80-drivers.rules|80-net-setup-link.rules|99-systemd.rules) ;;
        *) rm "$rule" ;;
    esac
done
mkdir -p "$units/systemd-udev-trigger.service.d"
cat >"$units/systemd-udev-trigger.service.d/vmhealth.conf" <<'DROPIN'
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=virtio-ports --subsystem-match=virtio --subsystem-match=pci --subsystem-match=block --subsystem-match=net --subsystem-match=watchdog --subsystem-match=input --subsystem-match=acpi --subsystem-match=rtc --subsystem-match=misc --prioritized-subsystem=virtio-ports,block,net,input
DROPIN

# --- the agent as soon as its port is there
mkdir -p "$units/qemu-guest-agent.service.d"
printf '[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n' \
    >"$units/qemu-guest-agent.service.d/vmhealth.conf"

# --- the watchdog package is installed and not yet set up: what the user's document begins with
chroot "$r" systemctl --quiet disable watchdog.service wd_keepalive.service 2>/dev/null || true
rm -f "$units"/*.wants/watchdog.service "$units"/*.wants/wd_keepalive.service

# --- network and cloud-init
rm -rf "$r/etc/netplan"
mkdir -p "$units/sockets.target.wants"
ln -sfn /usr/lib/systemd/system/systemd-networkd.service "$units/multi-user.target.wants/systemd-networkd.service"
ln -sfn /usr/lib/systemd/system/systemd-networkd.socket "$units/sockets.target.wants/systemd-networkd.socket"
cat >"$r/etc/cloud/cloud.cfg.d/90-vmhealth.cfg" <<'CLOUD'
datasource_list: [ NoCloud, None ]
system_info:
  network:
    renderers: [ networkd ]
    activators: [ networkd ]
ssh_deletekeys: false
ssh_genkeytypes: []
cloud_init_modules: [ seed_random, bootcmd, write_files, disk_setup, mounts, set_hostname, update_hostname, update_etc_hosts, ca_certs, users_groups ]
cloud_config_modules: [ set_passwords, timezone, runcmd ]
cloud_final_modules: [ write_files_deferred, scripts_vendor, scripts_per_once, scripts_per_boot, scripts_per_instance, scripts_user, phone_home, final_message, power_state_change ]
CLOUD
rm -rf "$r"/etc/init.d/* "$r"/etc/rc?.d/*

# --- compiled Python, checked by nobody: the sources never change
PYTHONHASHSEED=0 fast "$PYTHON" -m compileall -q -f --invalidation-mode unchecked-hash ${root:+-s "$root" -p /} \
    "$root/usr/lib/python3" "$root/usr/lib/$PYTHON" >/dev/null || true
if [ -n "$NATIVE" ]; then umount "$NATIVE/target"; fi

# --- what differs between two builds, or is of no use
: >"$r/etc/machine-id"
echo guest >"$r/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 guest\n' >"$r/etc/hosts"
rm -f "$r/etc/resolv.conf" && : >"$r/etc/resolv.conf"
rm -rf "$r"/var/log/* "$r"/var/cache/apt "$r"/var/lib/apt/lists "$r"/var/cache/debconf/*-old "$r"/var/lib/dpkg/*-old \
    "$r"/var/cache/ldconfig/aux-cache "$r"/var/lib/systemd/catalog/database "$r"/etc/*- "$r"/var/backups/* \
    "$r"/var/tmp/* "$r"/boot/* "$r"/vmlinuz* "$r"/initrd.img* "$r"/var/lib/dbus/machine-id \
    "$r"/var/lib/systemd/random-seed "$r"/var/lib/systemd/credential.secret \
    "$r"/etc/apt/sources.list "$r"/etc/apt/apt.conf.d/99mmdebstrap "$r"/etc/dpkg/dpkg.cfg.d/99mmdebstrap \
    "$r"/usr/share/doc "$r"/usr/share/man "$r"/usr/share/info "$r"/usr/share/locale "$r"/usr/share/i18n \
    "$r"/usr/share/lintian "$r"/usr/share/bug "$r"/usr/share/bash-completion

# --- pack: a view of the root without what mmdebstrap has mounted into it
view=$r.view
mkdir "$view"
mount --bind "$r" "$view"
mount -t tmpfs -o mode=755 none "$view/dev"
mount -t tmpfs -o mode=755 none "$view/run"
mount -t tmpfs -o mode=1777 none "$view/tmp"
find "$view" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
touch -d "@$SOURCE_DATE_EPOCH" "$view/dev" "$view/run" "$view/tmp"
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
mke2fs -q -F -t ext4 -b 4096 -I 256 -N 32768 -m 0 -J size=16 -L vmhealth \
    -O none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize \
    -U 766d6865-616c-7468-0000-000000000001 \
    -E hash_seed=766d6865-616c-7468-0000-000000000002,root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard \
    -d "$view" "$r.ext4" "${DISK_MIB}M"
umount "$view/tmp" "$view/run" "$view/dev" "$view"
rmdir "$view"
# mke2fs copies atime and ctime of its source, and nothing can set a ctime there: set both on every inode in use.
inodes=$(dumpe2fs -h "$r.ext4" 2>/dev/null | awk -F: '/^Inode count/ { all = $2 } /^Free inodes/ { free = $2 } END { print all - free }')
for inode in 2 $(seq 11 "$inodes"); do
    echo "set_inode_field <$inode> ctime @$SOURCE_DATE_EPOCH"
    echo "set_inode_field <$inode> atime @$SOURCE_DATE_EPOCH"
done >"$r.debugfs"
debugfs -w -f "$r.debugfs" "$r.ext4" >/dev/null 2>&1
rm "$r.debugfs"
mv "$r.ext4" "$out/root.ext4"
chmod -R u=rwX,go=rX "$out"

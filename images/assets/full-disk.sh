# Makes a disk with a partition table and bootloaders of a stock Debian root, as clouds have it. Runs as mmdebstrap's customize
# hook; $1 is the root. Nothing is tuned for us: the distribution's own initramfs, units, watchdog package and GRUB.
set -eu
r=$1
work=$r/mnt
disk=$work/disk.raw
in_root() { chroot "$r" "$@"; }

# --- what a cloud image has set up
: >"$r/etc/machine-id"
echo debian >"$r/etc/hostname"
rm -f "$r/etc/resolv.conf"
echo 'LABEL=full-root / ext4 defaults,errors=remount-ro 0 1' >"$r/etc/fstab"
in_root systemctl --quiet enable systemd-networkd.service
release=$(ls "$r/usr/lib/modules")
in_root update-initramfs -c -k "$release" >/dev/null
mkdir -p "$r/boot/grub"
cat >"$r/boot/grub/grub.cfg" <<GRUB
set timeout=0
search --no-floppy --set=root --label full-root
linux /boot/vmlinuz-$release root=LABEL=full-root ro console=tty0 console=ttyS0,115200
initrd /boot/initrd.img-$release
boot
GRUB

# --- the table, in sectors: GRUB's own partition for SeaBIOS, the EFI system's, the root's
grub=2048 esp=4096 root=69632 end=3143680
truncate -s 1536M "$disk"
in_root sfdisk --quiet /mnt/disk.raw <<TABLE
label: gpt
start=$grub, size=$((esp - grub)), type=21686148-6449-6E6F-744E-656564454649
start=$esp, size=$((root - esp)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
start=$root, size=$((end - root)), type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
TABLE
put() { dd if="$1" of="$disk" bs=512 seek="$2" conv=notrunc status=none; }
little_endian() { printf "$(printf '\\%03o\\%03o\\%03o\\%03o\\0\\0\\0\\0' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24)))"; }

# --- SeaBIOS: what grub-install does, which wants a block device. The first sector names the second one's place, and that one
# the rest's (boot.S, diskboot.S).
in_root grub-mkimage -O i386-pc -o /mnt/core.img -p '(hd0,gpt3)/boot/grub' biosdisk part_gpt ext2 linux normal search search_label
little_endian $((grub + 1)) | dd of="$work/core.img" bs=1 seek=500 conv=notrunc status=none
cp "$r/usr/lib/grub/i386-pc/boot.img" "$work/boot.img"
little_endian $grub | dd of="$work/boot.img" bs=1 seek=92 conv=notrunc status=none
dd if="$work/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
put "$work/core.img" $grub

# --- UEFI: Debian's signed shim and GRUB, which start under secure boot too
in_root mkfs.vfat -C /mnt/esp.img $(((root - esp) / 2)) >/dev/null
in_root mmd -i /mnt/esp.img ::/EFI ::/EFI/BOOT ::/EFI/debian
in_root mcopy -i /mnt/esp.img /usr/lib/shim/shimx64.efi.signed ::/EFI/BOOT/BOOTX64.EFI
in_root mcopy -i /mnt/esp.img /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed ::/EFI/BOOT/grubx64.efi
in_root mcopy -i /mnt/esp.img /boot/grub/grub.cfg ::/EFI/debian/grub.cfg
put "$work/esp.img" $esp

# --- the root, without what mmdebstrap has mounted into it and without our work
rm -rf "$r"/var/cache/apt/* "$r"/var/lib/apt/lists/* "$r"/etc/apt/apt.conf.d/99mmdebstrap "$r"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
view=$r.view
trap 'umount -R "$view" 2>/dev/null && rmdir "$view"' EXIT
mkdir "$view"
mount --bind "$r" "$view"
for folder in dev run tmp mnt; do mount -t tmpfs -o mode=755 none "$view/$folder"; done
chmod 1777 "$view/tmp"
# Nothing newer than what every GRUB reads.
mke2fs -q -F -t ext4 -b 4096 -L full-root -E "offset=$((root * 512)),root_owner=0:0,nodiscard" -d "$view" \
    -O none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize \
    "$disk" $(((end - root) / 8))
rm "$work/core.img" "$work/boot.img" "$work/esp.img"

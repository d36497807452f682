#!/bin/sh
# The same guest kernel brought to its first command by other tools: peers.sh SCRATCH KERNEL_ELF [IMAGE_LOCK]
#
# A line a run: "virtme-ng SECONDS" or "vmtest SECONDS", from exec of the tool to the command's output on the tool's
# own stdout; or "TOOL failed: REASON". SCRATCH/times has a line a run too: tool, that figure, seconds to the tool's exit.
# Everything is installed into SCRATCH. Wants root (mount namespaces), cargo, python3 with venv, QEMU, xz, cpio.
set -u
[ $# -ge 2 ] || { echo "usage: peers.sh SCRATCH KERNEL_ELF [IMAGE_LOCK]" >&2; exit 2; }
mkdir -p "$1" || exit 2
S=$(cd "$1" && pwd)
KERNEL=$(readlink -f "$2")
LOCK=${3:-}
RUNS=${PEERS_RUNS:-3}
CPUS=${PEERS_CPUS:-1}
MEMORY=${PEERS_MEMORY:-512M}
VIRTME_NG=1.42
VMTEST=0.18.0
VIRTIOFSD=1.14.0
LIMIT=150
export LC_ALL=C
umask 022

# Says why and gives up on one tool.
fail() {
    echo "$TOOL failed: $*"
    return 1
}

# A log's last line that is not the guest kernel's, on one line.
reason() {
    tr -d '\r' <"$1" | grep -av -e '^\[ *[0-9]' -e '^ *$' | tail -n 1 | cut -c1-200
}

# ---- packages, through the host's own apt configuration ----

a() {
    apt-get -qq -o Dir::Etc::sourcelist="$S/apt/sources.list" -o Dir::State::lists="$S/apt/lists" \
        -o Dir::Cache="$S/apt/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none "$@" >"$S/apt/log" 2>&1
}

# The archive that the host uses, for the image's suite beside the host's own.
apt_ready() {
    [ ! -e "$S/apt/ready" ] || return 0
    mkdir -p "$S/apt/lists/partial" "$S/apt/cache/archives/partial"
    cat /etc/apt/sources.list >"$S/apt/sources.list" 2>/dev/null
    if [ "$HOST_SUITE" != trixie ]; then
        uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
            awk '$1 == "deb" || $1 == "URIs:" { for (i = 2; i <= NF; i++) if ($i ~ /:\/\/.*\/debian\/?$/) { print $i; exit } }')
        [ -n "$uri" ] || { echo "the host has no Debian archive in its apt sources" >"$S/apt/log"; return 1; }
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri trixie main" >>"$S/apt/sources.list"
    fi
    a update && : >"$S/apt/ready"
}

# unpacked NAME SUITE_OR_VERSION: a package's files in SCRATCH/deb/NAME.
unpacked() {
    [ ! -d "$S/deb/$1" ] || return 0
    apt_ready || return 1
    rm -rf "$S/apt/get" "$S/apt/tree" && mkdir -p "$S/apt/get" "$S/deb"
    (cd "$S/apt/get" && a download "$1$2") || return 1
    nice -n 19 dpkg-deb -x "$S/apt/get/"*.deb "$S/apt/tree" && mv "$S/apt/tree" "$S/deb/$1"
}

wanted() {
    unpacked "$1" "${2:-/$HOST_SUITE}" || fail "no package $1: $(reason "$S/apt/log")"
}

HOST_SUITE=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# ---- what each needs ----

crate() { # NAME VERSION
    [ ! -x "$S/bin/$1" ] || return 0
    LIBRARY_PATH=${LIBS:-} CARGO_TARGET_DIR="$S/target" nice -n 19 cargo install -q --locked -j1 --root "$S" \
        --version "$2" "$1" >"$S/cargo.log" 2>&1 && rm -rf "$S/target" ||
        fail "cargo install $1: $(grep -m 1 '^error' "$S/cargo.log")"
}

virtme_ng() {
    if [ ! -x "$S/venv/bin/vng" ]; then
        { nice -n 19 python3 -m venv "$S/venv" && nice -n 19 "$S/venv/bin/pip" install -q "virtme-ng==$VIRTME_NG"; } \
            >"$S/pip.log" 2>&1 || { fail "pip install virtme-ng: $(reason "$S/pip.log")"; return 1; }
    fi
    # virtio-fs is built into the kernel, 9p is not: with the daemon it boots without modules and initramfs, its fastest.
    # (QEMU 7's own virtiofsd is not the one it means.)
    if [ ! -x "$S/bin/virtiofsd" ]; then
        wanted libcap-ng-dev && wanted libseccomp-dev || return 1
        LIBS=$(echo "$S"/deb/libcap-ng-dev/usr/lib/*-linux-gnu):$(echo "$S"/deb/libseccomp-dev/usr/lib/*-linux-gnu)
        crate virtiofsd "$VIRTIOFSD" || return 1
    fi
    # Without udev in the shared root neither the command's output nor its exit code comes back.
    if [ ! -e /usr/lib/systemd/systemd-udevd ] && [ ! -d "$S/usr" ]; then
        wanted udev || return 1
        rm -rf "$S/usr.new" && mkdir -p "$S/usr.new"
        for part in lib bin; do # /lib and /bin of the package are /usr/lib and /usr/bin of a merged root
            [ ! -d "$S/deb/udev/$part" ] || cp -a "$S/deb/udev/$part" "$S/usr.new/"
        done
        [ ! -d "$S/deb/udev/usr" ] || cp -a "$S/deb/udev/usr/." "$S/usr.new/"
        mv "$S/usr.new" "$S/usr"
    fi
}

vmtest() {
    crate vmtest "$VMTEST" || return 1
    if [ ! -x /usr/sbin/qemu-ga ]; then
        wanted qemu-guest-agent || return 1
    fi
    busybox=/bin/busybox
    if ! "$busybox" true 2>/dev/null || ldd "$busybox" >/dev/null 2>&1; then
        wanted busybox-static || return 1
        busybox=$(ls "$S"/deb/busybox-static/bin/busybox "$S"/deb/busybox-static/usr/bin/busybox 2>/dev/null | head -n 1)
    fi
    # It wants 9p built in, and Debian has it as modules: an initramfs with four of them that mounts its root.
    release=$(grep -a -o -m 1 'Linux version [^ ]*' "$KERNEL" | head -n 1 | cut -d ' ' -f 3)
    [ -n "$release" ] || { fail "no version in $KERNEL"; return 1; }
    if [ -n "$LOCK" ]; then
        version=$(awk -v p="linux-image-$release" '$1 == p { print $2 }' "$LOCK")
        [ -n "$version" ] || { fail "the kernel is $release, and $LOCK has no package of it"; return 1; }
    else
        version=$(grep -a -o -m 1 'Debian [0-9][^ ]* (20' "$KERNEL" | head -n 1 | cut -d ' ' -f 2)
    fi
    initrd="$S/initrd-$release"
    if [ ! -e "$initrd" ]; then
        wanted "linux-image-$release" "=$version" || return 1
        tree="$S/initrd.tree"
        rm -rf "$tree" && mkdir -p "$tree/bin" "$tree/dev" "$tree/proc" "$tree/root" "$tree/modules"
        cp "$busybox" "$tree/bin/busybox"
        for module in netfs 9pnet 9p 9pnet_virtio; do
            file=$(find "$S/deb/linux-image-$release" -name "$module.ko*")
            case $file in
            *.xz) xz -dc "$file" ;;
            *.zst) zstd -qdc "$file" ;;
            *) cat "$file" ;;
            esac >"$tree/modules/$module.ko" || { fail "no module $module in linux-image-$release"; return 1; }
        done
        cat >"$tree/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
for module in netfs 9pnet 9p 9pnet_virtio; do $b insmod "/modules/$module.ko"; done
read -r cmdline </proc/cmdline
for word in $cmdline; do
    case $word in
    init=*) init=${word#init=} ;;
    rootflags=*) flags=${word#rootflags=} ;;
    esac
done
$b umount /proc
$b mount -t 9p -o "rw,$flags" /dev/root /root && $b mount -t devtmpfs dev /root/dev && exec $b switch_root /root "$init"
INIT
        chmod +x "$tree/init"
        (cd "$tree" && find . | cpio -o -H newc --quiet) >"$S/initrd.new" && mv "$S/initrd.new" "$initrd"
    fi
    mkdir -p "$S/vmtest"
    cat >"$S/vmtest/vmtest.toml" <<TOML
[[target]]
name = "peer"
kernel = "$KERNEL"
command = "echo peers-ready"
[target.vm]
num_cpus = $CPUS
memory = "$MEMORY"
extra_args = ["-initrd", "$initrd"]
TOML
}

# ---- runs ----

# In a mount namespace of its own: a /dev without kvm (vmtest asks no more than whether it exists), and udev in /usr.
inside() {
    cat >"$S/inside.sh" <<'INSIDE'
set -eu
S=$1
shift
mkdir -p "$S/dev" "$S/home"
mount -t tmpfs -o mode=755 dev "$S/dev"
for node in null zero full random urandom tty; do
    : >"$S/dev/$node"
    mount --bind "/dev/$node" "$S/dev/$node"
done
mkdir "$S/dev/pts" "$S/dev/shm"
mount --bind /dev/pts "$S/dev/pts"
mount -t tmpfs shm "$S/dev/shm"
ln -s pts/ptmx "$S/dev/ptmx"
ln -s /proc/self/fd "$S/dev/fd"
mount --move "$S/dev" /dev
[ ! -d "$S/usr" ] || mount -t overlay -o "lowerdir=$S/usr:/usr" overlay /usr
export HOME="$S/home" PATH="$S/venv/bin:$S/bin:$S/deb/qemu-guest-agent/usr/sbin:$PATH:/usr/sbin:/sbin"
cd "$S/vmtest" 2>/dev/null || cd "$S"
exec "$@"
INSIDE
}

seconds() {
    printf '%d.%03d' $(($1 / 1000000000)) $(($1 / 1000000 % 1000))
}

# runs COMMAND...: RUNS lines of figures, or the reason why not.
runs() {
    i=0
    while [ $i -lt "$RUNS" ]; do
        i=$((i + 1))
        out="$S/$TOOL.out"
        rm -f "$S/ready"
        start=$(date +%s%N)
        {
            timeout -k 5 "$LIMIT" unshare --mount --pid --fork --kill-child --mount-proc sh "$S/inside.sh" "$S" "$@" \
                </dev/null 2>"$S/$TOOL.err"
            echo $? >"$S/status"
        } | while IFS= read -r line; do
            case $line in
            *peers-ready*) [ -e "$S/ready" ] || date +%s%N >"$S/ready" ;;
            esac
            printf '%s\n' "$line"
        done >"$out"
        end=$(date +%s%N)
        status=$(cat "$S/status")
        if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
            fail "nothing after $LIMIT s; last: $(reason "$out")"
            return 1
        elif [ "$status" -ne 0 ] || [ ! -e "$S/ready" ]; then
            why=$(reason "$S/$TOOL.err")
            fail "exit status $status: ${why:-$(reason "$out")}"
            return 1
        fi
        ready=$(($(cat "$S/ready") - start))
        echo "$TOOL $(seconds $ready) $(seconds $((end - start)))" >>"$S/times"
        echo "$TOOL $(seconds $ready)"
    done
}

inside
TOOL=virtme-ng
# shellcheck disable=SC2015
virtme_ng && runs vng --run "$KERNEL" --disable-kvm --cpus "$CPUS" --memory "$MEMORY" --exec 'echo peers-ready'
TOOL=vmtest
vmtest && runs "$S/bin/vmtest"
exit 0

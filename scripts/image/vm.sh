# Parts of build-image: kernel and initramfs of a virtual machine. HAProxy, ip, ethtool, Busybox for the rest; drivers, init.

# In the order in which they are loaded; each after those that it needs.
drivers=(virtio_pci virtio_console virtio_net)
# Busybox's own shell would take its own `ip` for ip.
programs=(/usr/sbin/haproxy /bin/ip /sbin/ethtool /bin/dash)
meta=linux-image-cloud-amd64

build() {
  local packages stamp version modules
  require cpio:cpio modprobe:kmod depmod:kmod flock:util-linux
  [ "$(dpkg --print-architecture)" = amd64 ] || die "the image of a virtual machine can be built on amd64 only"
  [ -z "$kernel" ] || [ -r "$kernel" ] || die "cannot read the kernel $kernel"
  { mkdir -p "$output" && [ -w "$output" ]; } 2>/dev/null || die "cannot write to $output"
  # One at a time: who comes second finds it up to date.
  exec 9<"$output" && flock 9
  say "looks up packages"
  mapfile -t packages < <(closure haproxy iproute2 ethtool dash && versions busybox-static && { [ -n "$kernel" ] || kernel_package; })
  wait $! || exit
  stamp=$(fingerprint "${packages[@]}" "$([ -z "$kernel" ] || sha256sum "$kernel")")
  if [ "$(cat "$output/version" 2>/dev/null)" = "$stamp" ] && [ -e "$output/vmlinuz" ] && [ -e "$output/initramfs" ]; then
    say "$output is up to date"
    return
  fi
  say "downloads ${#packages[@]} packages"
  download "$work/packages" "${packages[@]}"
  unpack "$work/packages" "$work/all"
  if [ -z "$kernel" ]; then
    kernel=$(echo "$work"/all/boot/vmlinuz-*)
    modules=$work/all
    version=${kernel##*/vmlinuz-}
    depmod -b "$modules" "$version"
  else
    modules=/
    version=$(kernel_version)
  fi

  local root=$work/root name
  mkdir -p "$root"/{bin,dev,etc,lib/modules,proc,run,sys,tmp,var/empty}
  for name in "${programs[@]}"; do install_program "$work/all" "$root" "$name"; done
  ln -s dash "$root/bin/sh"
  install "$parts/init" "$root/init"
  install "$parts/answer" "$parts/say" "$work/all/bin/busybox" "$root/bin"
  for name in $("$work/all/bin/busybox" --list); do [ -e "$root/bin/$name" ] || ln -s busybox "$root/bin/$name"; done
  install_drivers "$modules" "$version" "$root/lib/modules"
  echo "$stamp" > "$root/etc/hostlb-image"

  # Not compressed: an emulated machine would take longer to unpack it than this one to read it.
  # New files take the old ones' place at once: a machine that starts meanwhile sees one or the other.
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet --create --format newc --owner 0:0 --reproducible) > "$output/.initramfs"
  install -m 644 "$kernel" "$output/.vmlinuz"
  rm -f "$output/version"
  mv "$output/.vmlinuz" "$output/vmlinuz"
  mv "$output/.initramfs" "$output/initramfs"
  echo "$stamp" > "$output/version"
  say "$output/vmlinuz: Linux $version, $(du -m "$output/vmlinuz" | cut -f 1) MB"
  say "$output/initramfs: $(du -m "$output/initramfs" | cut -f 1) MB, $(printf '%s\n' "${packages[@]}" | grep '^haproxy=')"
}

# The package that the meta package stands for at present.
kernel_package() {
  versions "$(apt-cache depends --important "$meta" | awk '/ Depends: linux-image/ { print $2; exit }')"
}

# The version is text in the kernel's file; where, says its header (Linux boot protocol).
kernel_version() {
  local offset
  offset=$(($(od -An -tu2 -j 526 -N 2 "$kernel") + 512))
  tail -c "+$((offset + 1))" "$kernel" | head -c 200 | tr '\0' '\n' | head -n 1 | cut -d ' ' -f 1
}

# Copies drivers, and those that they need, from the root $1 for kernel $2 to folder $3; `order` there names the files.
# What is built into the kernel needs none.
install_drivers() {
  local driver word file listed
  [ -d "$1/lib/modules/$2" ] || { say "no modules of Linux $2 are installed: takes its drivers as built in"; : > "$3/order"; return; }
  for driver in "${drivers[@]}"; do
    listed=$(modprobe --dirname "$1" --set-version "$2" --show-depends "$driver") || die "Linux $2 has no $driver"
    while read -r word file; do
      if [ "$word" = insmod ]; then echo "$file"; fi
    done <<< "$listed"
  done | awk '!seen[$0]++' | while read -r file; do
    file=${file%% *}
    case $file in
      *.xz) xz -dc "$file" > "$3/$(basename "$file" .xz)" ;;
      *.zst) zstd -qdc "$file" > "$3/$(basename "$file" .zst)" ;;
      *) cp "$file" "$3" ;;
    esac
    basename "${file%.ko*}.ko"
  done > "$3/order"
}

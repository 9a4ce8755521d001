# Parts of build-image: the container image. HAProxy, its libraries, and nothing else.

build() {
  local packages stamp
  require podman:podman tar:tar
  say "looks up packages"
  mapfile -t packages < <(closure haproxy)
  wait $! || exit
  stamp=$(fingerprint "${packages[@]}")
  if [ "$(podman image inspect --format '{{ index .Labels "hostlb.image" }}' "$tag" 2>/dev/null)" = "$stamp" ]; then
    say "$tag is up to date"
    return
  fi
  say "downloads ${#packages[@]} packages"
  download "$work/packages" "${packages[@]}"
  unpack "$work/packages" "$work/all"
  mkdir -p "$work/root/run" "$work/root/tmp" "$work/root/proc" "$work/root/sys" "$work/root/dev" "$work/root/var/empty"
  install_program "$work/all" "$work/root" /usr/sbin/haproxy
  tar -C "$work/root" --owner=0 --group=0 --sort=name --mtime=@0 -c . |
    podman import --quiet --change 'ENTRYPOINT ["/usr/sbin/haproxy"]' --change "LABEL hostlb.image=$stamp" - "$tag" >/dev/null ||
    die "podman cannot make $tag"
  say "$tag: $(du -sm "$work/root" | cut -f 1) MB, $(printf '%s\n' "${packages[@]}" | grep '^haproxy=')"
}

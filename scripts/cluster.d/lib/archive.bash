# shellcheck shell=bash
# Writes image archives (docker-archive: one layer, a configuration, a manifest) without an engine; sourced by scripts.

# write_image ARCHIVE REFERENCE ROOT CONFIG: the files below ROOT as one layer, owned by root and dated 1970, so that the
# same files give the same bytes. CONFIG is the JSON of the image's `config` (User, Entrypoint, Env, ...).
write_image() {
    local archive=$1 reference=$2 root=$3 config=$4 work diff digest
    local -a same=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=gnu)
    work=$(mktemp -d "$archive.XXXXXX")
    tar -C "$root" "${same[@]}" -cf "$work/layer.tar" .
    diff=$(sha256sum <"$work/layer.tar")
    jq -cn --argjson config "$config" --arg diff "sha256:${diff%% *}" --arg architecture "$(image_architecture)" '{
        architecture: $architecture, os: "linux", created: "1970-01-01T00:00:00Z", config: $config,
        rootfs: {type: "layers", diff_ids: [$diff]},
        history: [{created: "1970-01-01T00:00:00Z", created_by: "scripts/cluster.d/lib/archive.bash"}]}' >"$work/config.json"
    digest=$(sha256sum <"$work/config.json")
    digest=${digest%% *}
    mv "$work/config.json" "$work/$digest.json"
    jq -cn --arg config "$digest.json" --arg reference "$reference" \
        '[{Config: $config, RepoTags: [$reference], Layers: ["layer.tar"]}]' >"$work/manifest.json"
    chmod 644 "$work"/*
    tar -C "$work" "${same[@]}" -cf "$work.tar" "$digest.json" layer.tar manifest.json
    mv "$work.tar" "$archive"
    rm -rf "$work"
}

image_architecture() {
    case $(uname -m) in
        x86_64) echo amd64 ;;
        aarch64) echo arm64 ;;
        *) uname -m ;;
    esac
}

# copy_program PROGRAM ROOT PATH: the program, and the shared libraries and loader it needs where it looks for them.
copy_program() {
    local library
    install -D -m 755 "$1" "$2$3"
    while IFS= read -r library; do
        install -D -m 755 "$library" "$2$library"
    done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*')
}

# base_files ROOT: what every image has besides its program: a user, certificates of authorities, and /tmp.
base_files() {
    mkdir -p "$1/etc/ssl/certs" "$1/tmp"
    chmod 1777 "$1/tmp"
    printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
        nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin >"$1/etc/passwd"
    printf '%s\n' root:x:0: nobody:x:65534: nonroot:x:65532: >"$1/etc/group"
    echo 'hosts: files dns' >"$1/etc/nsswitch.conf"
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
        install -m 644 /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    fi
}

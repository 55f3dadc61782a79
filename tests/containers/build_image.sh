#!/bin/sh
# Makes what the podman tests need in the folder $1: a containers.conf that works without a network
# and with hybrid cgroups, and the image localhost/tracer-test:1, a static busybox and nothing else.
# Needs Debian's podman, runc and busybox-static.
set -eu
folder=$1
busybox=$(command -v busybox)
mkdir -p "$folder/root/bin" "$folder/root/tmp" "$folder/root/proc" "$folder/root/dev" "$folder/root/sys"

# The limits are given because podman's defaults are above those of a container that runs tests.
cat > "$folder/containers.conf" << EOF
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
EOF
# For who starts podman without options of ours.
cat > "$folder/storage.conf" << EOF
[storage]
driver = "overlay"
graphroot = "$folder/storage"
runroot = "$folder/run"
EOF

cp "$busybox" "$folder/root/bin/busybox"
for name in sh dd sleep cat awk; do
    ln -sf busybox "$folder/root/bin/$name"
done
# Workflow engines start a container's command with bash; this much of it is enough for them.
printf '#!/bin/sh\nexec /bin/sh "$@"\n' > "$folder/root/bin/bash"
chmod +x "$folder/root/bin/bash"
tar -C "$folder/root" -c . |
    CONTAINERS_CONF="$folder/containers.conf" podman --root "$folder/storage" \
        --runroot "$folder/run" import - localhost/tracer-test:1

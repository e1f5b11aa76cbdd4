#!/usr/bin/env bash
# The inner part of prove.sh, which starts it in namespaces made for it: a cluster of one node, and what is proved by it.
#   cluster.sh FOLDER...      (each becomes a file system in memory)
set -euo pipefail
: "${repo:?}" "${cache:?}" "${program:?}" "${work:?}"
trap 'exit 1' INT TERM
source "$repo/scripts/stand-in.sh"
export PATH=$cache/debian/usr/bin:$cache/debian/usr/sbin:$PATH
for folder; do mount -t tmpfs tmpfs "$folder"; done
# An address that isn't 127.0.0.1, which Kubernetes refuses as a pod's and which generators would need no token for.
node=192.0.2.1
ip link set lo up
ip address add $node/32 dev lo
cd "$work"

failed() {
    {
        kubectl get pods -n loadcmp
        kubectl get events -n loadcmp --field-selector type=Warning
        kubectl logs -n loadcmp -l job-name --prefix
        tail -n 5 ./*.log
        echo "FAILED: $1"
    } >&2 || true
    exit 1
}
soon() { # what if not, command...: waits until it succeeds, a minute at most
    local why=$1 until=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || failed "$why"
        sleep 0.2
    done
}
up() { # name, command...: in the background
    local name=$1
    shift
    "$@" >"$name.log" 2>&1 &
}
kubectl() { "$cache/servers" kubectl --kubeconfig "$work/admin.conf" "$@"; }

# An image of one program and the libraries that it is linked to, if any: there is no registry.
image() { # name:tag, program
    local name=${1%:*}
    mkdir -p image/root/bin
    cp "$2" "image/root/bin/$name"
    { ldd "$2" 2>/dev/null | grep -o '/[^ ]*' || true; } | xargs -r cp -L --parents -t image/root
    tar -C image/root -cf image/layer.tar .
    cat >image/config.json <<JSON
{ "architecture": "$(dpkg --print-architecture)", "os": "linux", "config": { "Env": ["PATH=/bin"], "Entrypoint": ["/bin/$name"] },
  "rootfs": { "type": "layers", "diff_ids": ["sha256:$(sha256sum image/layer.tar | cut -d ' ' -f 1)"] } }
JSON
    echo "[{ \"Config\": \"config.json\", \"RepoTags\": [\"docker.io/library/$1\"], \"Layers\": [\"layer.tar\"] }]" >image/manifest.json
    tar -C image -c config.json manifest.json layer.tar | ctr -n k8s.io images import - >/dev/null
    rm -r image
}

# One certificate is that of every server, and of an administrator who all of them are.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -keyout key.pem -out cert.pem \
    -subj /O=system:masters/CN=admin -addext "subjectAltName=IP:127.0.0.1,IP:$node" 2>/dev/null
cat >admin.conf <<YAML
apiVersion: v1
kind: Config
clusters: [{ name: here, cluster: { server: https://127.0.0.1:6443, certificate-authority: $work/cert.pem } }]
users: [{ name: admin, user: { client-certificate: $work/cert.pem, client-key: $work/key.pem } }]
contexts: [{ name: here, context: { cluster: here, user: admin } }]
current-context: here
YAML
# A node isn't ready without a network for pods. Those here have the node's, and ask for no other.
mkdir cni
echo '{ "cniVersion": "0.4.0", "name": "none", "type": "none" }' >cni/none.conf
cat >containerd.toml <<TOML
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:here"
  # In a sandbox root may not lower its own, which pods get by default: runc would start none.
  restrict_oom_score_adj = true
  cni = { conf_dir = "$work/cni" }
TOML
cat >kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node
authentication: { x509: { clientCAFile: $work/cert.pem }, anonymous: { enabled: false }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
tlsCertFile: $work/cert.pem
tlsPrivateKeyFile: $work/key.pem
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
# The machine is used for other things, too: its swap, its full disk and its memory in use end no pod.
failSwapOn: false
evictionHard: { memory.available: 0% }
imageGCHighThresholdPercent: 100
volumePluginDir: $work/plugins
YAML

up etcd etcd --data-dir etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
up containerd containerd --config containerd.toml
up apiserver "$cache/servers" kube-apiserver --etcd-servers http://127.0.0.1:2379 --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
    --endpoint-reconciler-type none --service-cluster-ip-range 10.0.0.0/24 --authorization-mode RBAC --client-ca-file cert.pem \
    --tls-cert-file cert.pem --tls-private-key-file key.pem --kubelet-client-certificate cert.pem --kubelet-client-key key.pem \
    --service-account-issuer https://127.0.0.1:6443 --service-account-key-file cert.pem --service-account-signing-key-file key.pem
soon "containerd doesn't come up" ctr version
image pause:here "$cache/pause"
image "$(sed -n 's/^ *image: //p' "$repo/examples/kubernetes/job.yaml")" "$program"
soon "the API server doesn't come up" kubectl get --raw /readyz
one=(--kubeconfig admin.conf --bind-address 127.0.0.1 --leader-elect=false)
up manager "$cache/servers" kube-controller-manager "${one[@]}"
up scheduler "$cache/servers" kube-scheduler "${one[@]}"
# A node whose name is an address has that address.
up kubelet "$cache/servers" kubelet --kubeconfig admin.conf --config kubelet.yaml --hostname-override $node
soon "the node doesn't come up" kubectl wait node/$node --for condition=Ready --timeout 1s
echo "$(kubectl get node $node -o jsonpath='Kubernetes {.status.nodeInfo.kubeletVersion}, {.status.nodeInfo.containerRuntimeVersion}'):" \
    "a node was ready after $SECONDS s"

# What users bring: two engines, a volume, a token.
stand_in "$program" native.log --first-token-ms 20 --decode-rate 20 --slots 64
native=$url
stand_in "$program" ollama.log --first-token-ms 20 --decode-rate 20 --slots 64
ollama=$url
mkdir -m 777 results
kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: { name: results }
spec: { accessModes: [ReadWriteMany], capacity: { storage: 10Gi }, hostPath: { path: $work/results } }
YAML
kubectl apply -f "$repo/examples/kubernetes/namespace.yaml" >/dev/null
kubectl create secret generic loadcmp-token -n loadcmp --from-literal=token="$(openssl rand -hex 16)" >/dev/null

# The manifests as users apply them, but for what isn't here: six free cores, a network for pods and a server for its names, and minutes.
mkdir here
cp -r "$repo/examples/kubernetes" here/
applied() { # manifests, run, requests
    cat >here/kustomization.yaml <<YAML
resources: [$1]
patches:
  - target: { kind: Job }
    patch: |
      - { op: add, path: /spec/template/spec/hostNetwork, value: true }
      - { op: add, path: /spec/template/spec/hostAliases, value: [{ ip: $node, hostnames: [loadcmp-0.loadcmp] }] }
      - { op: replace, path: /spec/template/spec/containers/0/resources/requests/cpu, value: 100m }
  - target: { kind: Job, name: loadcmp }
    patch: |
      - { op: add, path: /spec/template/spec/containers/0/env/-, value: { name: NATIVE_URL, value: "$native" } }
      - { op: add, path: /spec/template/spec/containers/0/env/-, value: { name: OLLAMA_HOST, value: "$ollama" } }
      - { op: add, path: /spec/template/spec/containers/0/args/-, value: --set=load.closed.duration=null }
      - { op: add, path: /spec/template/spec/containers/0/args/-, value: --set=load.closed.requests=$3 }
      - { op: add, path: /spec/template/spec/containers/0/args/-, value: --set=load.closed.warmup=1s }
      - { op: add, path: /spec/template/spec/containers/0/args/-, value: --set=workload.sampling.max_tokens=8 }
YAML
    kubectl kustomize here | sed "s/value: run-1/value: $2/" | kubectl apply -f - >/dev/null
}
becomes() { # job, what it is to be, seconds
    kubectl wait -n loadcmp "job/$1" --for "$2" --timeout "$3s" >/dev/null || failed "the Job $1 has not $2 after $3 s"
}
since() { echo "$1 $EPOCHREALTIME" | awk '{ printf "%.1f s", $2 - $1 }'; }

began=$EPOCHREALTIME
applied kubernetes run-1 1200
becomes loadcmp condition=complete 60
echo "ok: an Indexed Job of three generators was Complete after $(since "$began")"
began=$EPOCHREALTIME
applied kubernetes/merge.yaml run-1 0
becomes loadcmp-merge condition=complete 60
merged=results/run-1/merged
diff <(awk -F , '$3 == "measure" { print $1 "," $6 }' $merged/samples.csv | sort) <(printf '%s\n' {native,ollama},{0..1199} | sort) >/dev/null ||
    failed "its requests aren't each of those planned once"
[ -s $merged/report.html ] || failed "there is no report.html"
echo "ok: the merge was Complete after $(since "$began"): report.html, and in samples.csv each of the 2 x 1200 requests planned once"

all_send() { [ "$(grep -l ,measure, "results/$1"/parts/*/samples.csv | wc -l)" = 3 ]; }
killed() {
    local container
    container=$(kubectl get pod -n loadcmp "$pod" -o jsonpath='{.status.containerStatuses[0].containerID}')
    kill -9 "$(ctr -n k8s.io tasks ls | awk -v id="${container#*//}" '$1 == id { print $2 }')"
}
evicted() {
    echo "{ \"apiVersion\": \"policy/v1\", \"kind\": \"Eviction\", \"metadata\": { \"name\": \"$pod\" } }" |
        kubectl create --raw "/api/v1/namespaces/loadcmp/pods/$pod/eviction" -f - >/dev/null
}
loses() { # run, how, what the others say
    local names shard
    kubectl delete job -n loadcmp --all --cascade=foreground >/dev/null
    applied kubernetes "$1" 12000
    becomes loadcmp "jsonpath={.status.ready}=3" 60
    # Followed, since a Job that fails deletes the pods that still run.
    kubectl logs -n loadcmp -l job-name=loadcmp --prefix --follow >"$1.txt" &
    local follower=$!
    soon "not all generators send" all_send "$1"
    # What a cluster's DNS answers with.
    names=$(kubectl get endpointslices -n loadcmp -o jsonpath='{.items[*].endpoints[*].hostname}' | xargs -n 1 | sort | xargs)
    [ "$names" = "loadcmp-0 loadcmp-1 loadcmp-2" ] || failed "the Service gives pods the names: $names"
    pod=$(kubectl get pods -n loadcmp -l batch.kubernetes.io/job-completion-index=1 -o jsonpath='{.items[0].metadata.name}')
    began=$EPOCHREALTIME
    $2
    becomes loadcmp condition=failed 15
    echo "ok: $pod was $2; the Job was Failed after $(since "$began")"
    wait "$follower" || failed "the logs can't be read"
    said=$(kubectl get job -n loadcmp loadcmp -o jsonpath='{.status.conditions[?(@.type=="Failed")].message}')
    echo "    Job: $said"
    for shard in 0 2; do
        grep "pod/loadcmp-$shard-.*$3" "$1.txt" | sed 's/^/    /' || failed "shard $shard doesn't say what happened"
    done
}
loses run-2 killed "shard 1 was lost after"
[[ $said == *"/$pod failed with exit code 137"* ]] || failed "the Job doesn't name the pod that was killed"
loses run-3 evicted "shard 1 of 3 was interrupted"

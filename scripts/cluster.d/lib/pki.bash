# shellcheck shell=bash disable=SC2154
# Keys, certificates and kubeconfigs of the test cluster; sourced by scripts/cluster.

# make_ca NAME COMMON_NAME
make_ca() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/pki/$1.key"
    openssl req -x509 -new -key "$dir/pki/$1.key" -subj "/CN=$2" -days 30 -out "$dir/pki/$1.crt" \
        -addext 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'
}

# make_certificate NAME CA SUBJECT USAGE [ALTERNATIVE_NAMES]
make_certificate() {
    local extensions="keyUsage=critical,digitalSignature
extendedKeyUsage=$4"
    if [ -n "${5:-}" ]; then extensions+="
subjectAltName=$5"; fi
    openssl ecparam -name prime256v1 -genkey -noout -out "$dir/pki/$1.key"
    openssl req -new -key "$dir/pki/$1.key" -subj "$3" -out "$dir/pki/$1.csr"
    openssl x509 -req -in "$dir/pki/$1.csr" -CA "$dir/pki/$2.crt" -CAkey "$dir/pki/$2.key" -CAcreateserial -days 30 \
        -extfile <(printf '%s\n' "$extensions") -out "$dir/pki/$1.crt" 2>>"$dir/log/openssl.log"
    rm "$dir/pki/$1.csr"
}

# make_kubeconfig NAME SUBJECT: a client certificate and the file that uses it.
make_kubeconfig() {
    make_certificate "$1" ca "$2" clientAuth
    cat >"$dir/config/$1.kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: mora, cluster: {server: "https://$node_ip:6443", certificate-authority-data: $(base64 -w0 "$dir/pki/ca.crt")}}]
users: [{name: "$1", user: {client-certificate-data: $(base64 -w0 "$dir/pki/$1.crt"), client-key-data: $(base64 -w0 "$dir/pki/$1.key")}}]
contexts: [{name: mora, context: {cluster: mora, user: "$1"}}]
current-context: mora
END
}

make_pki() {
    (
        umask 077
        make_ca ca mora-test-ca
        make_ca front-proxy-ca mora-test-front-proxy-ca
        make_certificate apiserver ca /CN=kube-apiserver serverAuth \
            "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:$api_ip,IP:$node_ip,IP:127.0.0.1"
        make_certificate apiserver-kubelet ca /O=system:masters/CN=kube-apiserver-kubelet clientAuth
        make_certificate front-proxy front-proxy-ca /CN=front-proxy clientAuth
        make_certificate kubelet-server ca "/O=system:nodes/CN=system:node:$node_name" serverAuth "DNS:$node_name,IP:$node_ip,IP:127.0.0.1"
        openssl ecparam -name prime256v1 -genkey -noout -out "$dir/pki/service-account.key"
        openssl ec -in "$dir/pki/service-account.key" -pubout -out "$dir/pki/service-account.pub" 2>>"$dir/log/openssl.log"
        make_kubeconfig admin /O=system:masters/CN=mora-admin
        make_kubeconfig controller-manager /CN=system:kube-controller-manager
        make_kubeconfig scheduler /CN=system:kube-scheduler
        make_kubeconfig kubelet "/O=system:nodes/CN=system:node:$node_name"
        make_kubeconfig kube-proxy /CN=system:kube-proxy
    )
}

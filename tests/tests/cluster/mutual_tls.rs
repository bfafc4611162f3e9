//! The overlay in which components prove to each other who they are.

use std::path::Path;

use crate::LONG;
use crate::bed::{Bed, repository, run, said};
use crate::plans;

const SERVER_NAME: &str = "mora-worker-frontend.mora.svc";

/// Asserts that with certificates from Secrets plans are made as before, and that whoever has no certificate is refused.
pub(crate) fn assert_required(bed: &Bed, deploy: &Path) {
    let folder = bed.path("certificates");
    run(bed.inside(repository().join("scripts/certificates")).arg("--folder").arg(&folder));
    bed.apply_together(&deploy.join("overlays/mtls"), &deploy.join("components/apply"));
    bed.available("mora", &[], LONG);
    bed.step("all components are ready with certificates");
    let service = bed.json(&["-n", "mora", "get", "service", "mora-worker-frontend"]);
    let address = format!("{}:50061", service["spec"]["clusterIP"].as_str().unwrap());
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (authority, certificate, key) = (file("ca.crt"), file("client.crt"), file("client.key"));
    let nobody = ["-cacert", &authority, "-servername", SERVER_NAME];
    let known = [&nobody[..], &["-cert", &certificate, "-key", &key]].concat();
    let list = |with: &[&str]| {
        let call = [&["-max-time", "10"], with, &[&address, "list"]].concat();
        bed.inside("grpcurl").args(call).output().unwrap()
    };
    for refused in [list(&["-plaintext"]), list(&nobody)] {
        assert!(!refused.status.success(), "{}", said(&refused));
    }
    let listed = list(&known);
    assert!(said(&listed).contains("mora.v1.ForecastService"), "{}", said(&listed));
    plans::assert_complete(bed, &plans::now(bed, "with-tls"));
    bed.step("plain text and callers without a certificate are refused; the plan is complete");
}

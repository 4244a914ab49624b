//! Which registry an image comes from, and what the user's own `docker login` or `podman
//! login` left for it. Nothing of it is stored or logged here.

use crate::sandbox::docker::engine_faults::refused;
use bollard::auth::DockerCredentials;
use docker_credential::CredentialRetrievalError as Lack;
use docker_credential::{DockerCredential, get_credential, get_podman_credential};
use synthd_actors::model::Fault;

const HUB: &str = "docker.io";
/// The name under which clients have always kept what belongs to the hub.
const HUB_KEPT_AS: &str = "https://index.docker.io/v1/";

/// The host that an image's name begins with, or the hub.
pub(super) fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
        _ => HUB,
    }
}

/// None where the user never logged in there.
pub(super) async fn of(registry: &str) -> Result<Option<DockerCredentials>, Fault> {
    let kept_as = if registry == HUB { HUB_KEPT_AS } else { registry }.to_owned();
    // A helper is a program of the user's that may take its time.
    let server = kept_as.clone();
    let found = tokio::task::spawn_blocking(move || look(&server)).await;
    let found = found.map_err(|_| refused("the credentials could not be looked for"))?;
    let credential = found.map_err(|why| refused(format!("credentials of {registry}: {why}")))?;
    Ok(credential.map(|credential| credentials(credential, kept_as)))
}

fn look(server: &str) -> Result<Option<DockerCredential>, String> {
    match known(get_credential(server))? {
        Some(credential) => Ok(Some(credential)),
        None => known(get_podman_credential(server)),
    }
}

/// What is absent is no mistake; what is there and cannot be read is one.
fn known(found: Result<DockerCredential, Lack>) -> Result<Option<DockerCredential>, String> {
    match found {
        Ok(credential) => Ok(Some(credential)),
        // An unreadable file is told apart from none by nobody; the registry will say.
        Err(Lack::NoCredentialConfigured | Lack::ConfigNotFound | Lack::ConfigReadError) => {
            Ok(None)
        }
        // Helpers say so in words, and on either stream. What they print may be a secret.
        Err(Lack::HelperFailure { helper, stdout, stderr }) => {
            let absent = [stdout, stderr].iter().any(|text| text.contains("not found"));
            if absent { Ok(None) } else { Err(format!("the helper {helper} failed")) }
        }
        Err(other) => Err(other.to_string()),
    }
}

fn credentials(credential: DockerCredential, server: String) -> DockerCredentials {
    let mut credentials =
        DockerCredentials { serveraddress: Some(server), ..DockerCredentials::default() };
    match credential {
        DockerCredential::IdentityToken(token) => credentials.identitytoken = Some(token),
        DockerCredential::UsernamePassword(name, password) => {
            credentials.username = Some(name);
            credentials.password = Some(password);
        }
    }
    credentials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_what_a_name_begins_with() {
        assert_eq!(registry_of("debian"), "docker.io");
        assert_eq!(registry_of("synthd/base:1"), "docker.io");
        assert_eq!(registry_of("ghcr.io/some/thing@sha256:00"), "ghcr.io");
        assert_eq!(registry_of("localhost/thing"), "localhost");
        assert_eq!(registry_of("registry:5000/thing"), "registry:5000");
    }

    #[test]
    fn a_helper_that_fails_is_told_without_what_it_printed() {
        let failed = |stdout: &str| {
            known(Err(Lack::HelperFailure {
                helper: "docker-credential-x".to_owned(),
                stdout: stdout.to_owned(),
                stderr: String::new(),
            }))
        };
        assert_eq!(failed("credentials not found in native keychain"), Ok(None));
        let told = failed("{\"Secret\": \"canary\"}").unwrap_err();
        assert!(told.contains("docker-credential-x") && !told.contains("canary"), "{told}");
    }
}

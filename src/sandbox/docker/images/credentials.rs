//! Finds the user's credentials for a registry: those that `docker login` or `podman login` left.
//!
//! They are read at each pull and given to the container engine. synthd neither stores nor logs
//! them. Error messages never contain what a credential helper printed, because that may be a
//! secret.

use crate::sandbox::docker::engine_faults::refused;
use bollard::auth::DockerCredentials;
use docker_credential::CredentialRetrievalError as Lack;
use docker_credential::{DockerCredential, get_credential, get_podman_credential};
use synthd_actors::model::Fault;

/// The registry of image names without a host.
const HUB: &str = "docker.io";
/// The key under which `docker login` stores the credentials of Docker Hub, for historical
/// reasons.
const HUB_KEPT_AS: &str = "https://index.docker.io/v1/";

/// The registry of an image name: its first part if that looks like a host (`ghcr.io`,
/// `registry:5000`, `localhost`), else Docker Hub.
pub(super) fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host == "localhost" || host.contains(['.', ':']) => host,
        _ => HUB,
    }
}

/// The user's credentials for a registry. `None` if the user never logged in there. `Err`
/// (`SandboxRefused`) if they exist but cannot be read.
pub(super) async fn of(registry: &str) -> Result<Option<DockerCredentials>, Fault> {
    let kept_as = if registry == HUB { HUB_KEPT_AS } else { registry }.to_owned();
    // The credentials may come from a helper, a program that can take its time. So they are read
    // on a thread that may block.
    let server = kept_as.clone();
    let found = tokio::task::spawn_blocking(move || look(&server)).await;
    let found = found.map_err(|_| refused("the credentials could not be looked for"))?;
    let credential = found.map_err(|why| refused(format!("credentials of {registry}: {why}")))?;
    Ok(credential.map(|credential| credentials(credential, kept_as)))
}

/// Looks in the files of Docker first, then in those of Podman.
fn look(server: &str) -> Result<Option<DockerCredential>, String> {
    match known(get_credential(server))? {
        Some(credential) => Ok(Some(credential)),
        None => known(get_podman_credential(server)),
    }
}

/// Tells credentials that do not exist (`Ok(None)`) from those that exist and cannot be read
/// (`Err`).
fn known(found: Result<DockerCredential, Lack>) -> Result<Option<DockerCredential>, String> {
    match found {
        Ok(credential) => Ok(Some(credential)),
        // An unreadable file counts as none. The registry then refuses the pull if it needs a
        // login.
        Err(Lack::NoCredentialConfigured | Lack::ConfigNotFound | Lack::ConfigReadError) => {
            Ok(None)
        }
        // A helper that has no credentials also fails, and says so in words on one of its
        // streams. Other output is not shown, since it may be a secret.
        Err(Lack::HelperFailure { helper, stdout, stderr }) => {
            let absent = [stdout, stderr].iter().any(|text| text.contains("not found"));
            if absent { Ok(None) } else { Err(format!("the helper {helper} failed")) }
        }
        Err(other) => Err(other.to_string()),
    }
}

/// The credentials in the form that the API takes, for the registry `server`.
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

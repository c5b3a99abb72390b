//! Which engine is meant, in homes made for the test.

use super::*;

struct Home {
    dir: tempfile::TempDir,
    environment: Environment,
}

impl Home {
    fn new(variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment {
            uid: 7,
            root: dir.path().join("root"),
            ..Environment::default()
        };
        environment
            .variables
            .insert("HOME".to_owned(), dir.path().display().to_string());
        for (key, value) in variables {
            environment.variables.insert((*key).to_owned(), (*value).to_owned());
        }
        Self { dir, environment }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(".docker").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn context(&self, name: &str, host: &str) -> String {
        let hash: String = Sha256::digest(name.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let meta = format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
        );
        self.write(&format!("contexts/meta/{hash}/meta.json"), &meta);
        hash
    }

    fn choose(&self, host: Option<&str>, context: Option<&str>) -> (Origin, Result<Endpoint, String>) {
        match choose(host, context, &self.environment) {
            Choice::Explicit { origin, endpoint, .. } => (origin, endpoint),
            Choice::Search { .. } => panic!("nobody is chosen"),
        }
    }
}

fn unix(path: &str) -> Result<Endpoint, String> {
    Ok(Endpoint::Unix(path.into()))
}

#[test]
fn options_go_before_the_environment_and_that_before_the_current_context() {
    let home = Home::new(&[("DOCKER_HOST", "unix:///env"), ("DOCKER_CONTEXT", "two")]);
    home.context("one", "unix:///one");
    home.context("two", "unix:///two");
    home.write("config.json", r#"{"auths":{},"currentContext":"one"}"#);
    assert_eq!(
        home.choose(Some("unix:///opt"), None),
        (Origin::HostOption, unix("/opt"))
    );
    assert_eq!(
        home.choose(None, Some("one")),
        (Origin::ContextOption("one".into()), unix("/one"))
    );
    assert_eq!(home.choose(None, None), (Origin::HostVariable, unix("/env")));
    assert_eq!(home.choose(None, Some("default")), (Origin::HostVariable, unix("/env")));

    let mut home = home;
    home.environment
        .variables
        .insert("DOCKER_HOST".to_owned(), String::new());
    assert_eq!(
        home.choose(None, None),
        (Origin::ContextVariable("two".into()), unix("/two"))
    );
    home.environment.variables.remove("DOCKER_CONTEXT");
    assert_eq!(
        home.choose(None, None),
        (Origin::CurrentContext("one".into()), unix("/one"))
    );
}

#[test]
fn a_context_that_cannot_be_used_is_the_answer() {
    let home = Home::new(&[("DOCKER_CONTEXT", "nosuch")]);
    assert!(home.choose(None, None).1.unwrap_err().contains("no such context"));
    home.context("far", "ssh://me@far");
    assert!(
        home.choose(None, Some("far"))
            .1
            .unwrap_err()
            .contains("not supported yet")
    );
    let hash = home.context("tls", "tcp://h:2376");
    fs::create_dir_all(home.dir.path().join(".docker/contexts/tls").join(hash).join("docker")).unwrap();
    assert!(home.choose(None, Some("tls")).1.unwrap_err().contains("TLS"));
    home.context("empty", "");
    assert!(home.choose(None, Some("empty")).1.unwrap_err().contains("no host"));
}

#[test]
fn tls_in_the_environment_is_refused_for_tcp_but_not_for_sockets() {
    let home = Home::new(&[("DOCKER_TLS_VERIFY", "1")]);
    assert!(home.choose(Some("tcp://h:2376"), None).1.is_err());
    assert_eq!(home.choose(Some("unix:///s"), None).1, unix("/s"));
}

#[test]
fn without_a_choice_the_known_sockets_are_searched_each_once() {
    let home = Home::new(&[("XDG_RUNTIME_DIR", "/run/user/7")]);
    home.write("config.json", r#"{"currentContext":"default"}"#);
    let mut environment = home.environment.clone();
    environment.root = PathBuf::new();
    let Choice::Search { candidates, unreadable } = choose(None, None, &environment) else {
        panic!()
    };
    let paths: Vec<String> = candidates.iter().map(|(_, endpoint)| endpoint.to_string()).collect();
    let podman = paths
        .iter()
        .filter(|path| path.ends_with("/run/user/7/podman/podman.sock"))
        .count();
    assert_eq!(
        (paths[0].as_str(), podman, paths.len()),
        ("unix:///var/run/docker.sock", 1, 6),
        "{paths:?}"
    );
    assert_eq!(unreadable, None);
}

#[test]
fn an_unreadable_configuration_is_told_and_does_not_stop_the_search() {
    let home = Home::new(&[]);
    home.write("config.json", "{");
    let Choice::Search { unreadable, .. } = choose(None, None, &home.environment) else {
        panic!()
    };
    assert!(unreadable.unwrap().0.ends_with("config.json"));
}

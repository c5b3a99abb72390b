//! Reads how a container runs out of its inspection. Nothing in it can fail: what makes no sense is unknown, since the
//! rest of the inspection must not depend on it.

use serde_json::Value;
use time::OffsetDateTime;

use super::moment;
use crate::engine::daemon::RunFacts;

/// What an inspection tells about how a container runs.
pub(super) fn run_facts(inspected: &Value) -> RunFacts {
    let (config, host, state) = (&inspected["Config"], &inspected["HostConfig"], &inspected["State"]);
    let ended = !flag(&state["Running"]) || flag(&state["Restarting"]);
    let finished = time_of(&state["FinishedAt"]);
    let error = text(&state["Error"]);
    let tried = finished.is_some() || !error.is_empty();
    RunFacts {
        user: text(&config["User"]),
        entrypoint: texts(&config["Entrypoint"]),
        command: texts(&config["Cmd"]),
        workdir: text(&config["WorkingDir"]),
        env: texts(&config["Env"]),
        tty: flag(&config["Tty"]),
        declared: keys(&config["Volumes"]),
        privileged: flag(&host["Privileged"]),
        readonly_rootfs: flag(&host["ReadonlyRootfs"]),
        cap_add: capabilities(&host["CapAdd"]),
        cap_drop: capabilities(&host["CapDrop"]),
        group_add: texts(&host["GroupAdd"]),
        security_opt: texts(&host["SecurityOpt"]),
        userns_mode: text(&host["UsernsMode"]),
        binds: texts(&host["Binds"]),
        auto_remove: flag(&host["AutoRemove"]),
        restart_policy: text(&host["RestartPolicy"]["Name"]),
        log_driver: text(&host["LogConfig"]["Type"]),
        exit_code: (ended && tried).then(|| number(&state["ExitCode"])).flatten(),
        error,
        oom_killed: flag(&state["OOMKilled"]),
        restarts: natural(&inspected["RestartCount"]).unwrap_or(0),
        started: time_of(&state["StartedAt"]),
        finished,
        size_rw: natural(&inspected["SizeRw"]),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A list of texts; podman writes one text where there is but one.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).filter(|text| !text.is_empty()).collect(),
        Value::String(text) if !text.is_empty() => vec![text.clone()],
        _ => Vec::new(),
    }
}

fn keys(value: &Value) -> Vec<String> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(key, _)| key.clone()).collect()
}

fn flag(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn natural(value: &Value) -> Option<u64> {
    number(value).and_then(|number| u64::try_from(number).ok())
}

fn time_of(value: &Value) -> Option<OffsetDateTime> {
    value.as_str().and_then(moment)
}

/// Capabilities without `CAP_`, in upper case; `ALL` stays.
fn capabilities(value: &Value) -> Vec<String> {
    let names = texts(value).into_iter().map(|name| name.to_ascii_uppercase());
    names
        .map(|name| name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crash_loop_is_read() {
        let facts = run_facts(&json!({
            "RestartCount": 412, "SizeRw": 12,
            "State": {"Running": true, "Restarting": true, "ExitCode": 1, "OOMKilled": false, "Error": "",
                "StartedAt": "2026-11-21T12:57:52.5Z", "FinishedAt": "2026-11-21T12:57:53Z"},
            "Config": {"User": "999:998", "Cmd": ["sh"], "Entrypoint": "tini", "Volumes": {"/b": {}, "/a": {}}, "Tty": true},
            "HostConfig": {"CapAdd": ["cap_chown", "ALL"], "CapDrop": ["ALL"], "GroupAdd": ["media", 5], "Binds": null,
                "RestartPolicy": {"Name": "always"}, "LogConfig": {"Type": "json-file"}, "UsernsMode": "host"},
        }));
        assert_eq!(
            (facts.exit_code, facts.restarts, facts.size_rw),
            (Some(1), 412, Some(12))
        );
        assert_eq!(facts.cap_add, ["CHOWN", "ALL"]);
        assert_eq!(facts.group_add, ["media", "5"]);
        assert_eq!(facts.declared, ["/a", "/b"]);
        assert_eq!(
            (facts.entrypoint, facts.command),
            (vec!["tini".to_owned()], vec!["sh".to_owned()])
        );
        assert!(facts.tty && facts.started < facts.finished && facts.userns_mode == "host");
        assert_eq!(
            (facts.restart_policy.as_str(), facts.log_driver.as_str()),
            ("always", "json-file")
        );
    }

    #[test]
    fn a_container_that_runs_has_no_exit_code_and_one_that_never_could_start_has() {
        let running = json!({"State": {"Running": true, "ExitCode": 0, "FinishedAt": "2026-01-01T00:00:00Z"}});
        assert_eq!(run_facts(&running).exit_code, None);
        let created = json!({"State": {"Running": false, "ExitCode": 0, "FinishedAt": "0001-01-01T00:00:00Z"}});
        assert_eq!(run_facts(&created).exit_code, None);
        let failed =
            json!({"State": {"ExitCode": 127, "Error": "exec: no such file", "StartedAt": "0001-01-01T00:00:00Z"}});
        let failed = run_facts(&failed);
        assert_eq!((failed.exit_code, failed.started), (Some(127), None));
    }

    #[test]
    fn rubbish_is_unknown() {
        let rubbish = json!({"State": 7, "Config": {"User": [], "Env": {"a": 1}, "Cmd": [[1]]}, "HostConfig": [], "RestartCount": -1});
        assert_eq!(run_facts(&rubbish), RunFacts::default());
        assert_eq!(run_facts(&Value::Null), RunFacts::default());
    }

    #[test]
    fn recorded_inspections_are_read() {
        let read = |bytes: &[u8]| run_facts(&serde_json::from_slice(bytes).unwrap());
        let docker = read(include_bytes!("../../../tests/data/docker-20.10-container.json"));
        assert_eq!(
            (docker.user.as_str(), docker.exit_code, docker.finished),
            ("", None, None)
        );
        assert!(docker.started.is_some() && docker.command == ["sleep", "100000"]);
        let podman = read(include_bytes!("../../../tests/data/podman-4.3-container.json"));
        assert_eq!(podman.cap_drop, ["AUDIT_WRITE", "MKNOD", "NET_RAW"]);
        assert_eq!((podman.binds.len(), podman.workdir.as_str()), (2, "/"));
    }
}

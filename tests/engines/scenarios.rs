//! Why a container is refused something, on real engines: each scenario is built, diagnosed, mended as the finding says,
//! and the container's own access is the judge. What vole changed is taken back byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, lsetxattr};
use serde_json::Value;
use vole_test_support::{Engine, Family, Home, IMAGE, PATIENCE, dump, until};

use crate::world::{self, vole};

/// What mends a scenario.
enum Mend {
    /// There is nothing to mend: no finding may be made.
    Nothing,
    /// The finding's command is `vole`'s own.
    Vole,
    /// The container is made anew with the finding's option in addition.
    WithOption,
    /// The container is made anew with these options.
    With(Vec<String>),
    /// The test mends it by hand.
    ByHand(Box<dyn Fn(&Path)>),
    /// Only the finding is looked at.
    Unmended,
}

/// One container that has, or has not, a fault.
struct Scenario {
    name: &'static str,
    options: Vec<String>,
    /// What the container does; it fails until it is mended.
    code: &'static str,
    /// The volume, or the host's directory, that it is about.
    data: PathBuf,
    /// Cause and kind of fix; `None` when there is no fault.
    expected: Option<(&'static str, &'static str)>,
    /// What the finding's command must hold.
    command: Vec<&'static str>,
    mend: Mend,
}

/// Builds scenarios on one engine.
struct Builder<'a> {
    engine: &'a Engine,
    scenarios: Vec<Scenario>,
}

impl Builder<'_> {
    /// A container with options, of which `{}` is a new volume's name; `prepare` gets the volume's directory.
    fn volume(
        &mut self,
        name: &'static str,
        options: &[&str],
        code: &'static str,
        prepare: impl Fn(&Path),
    ) -> &mut Scenario {
        self.engine.run(["volume", "create", name]);
        let data = self.engine.mount_point(name);
        if self.engine.family() == Family::Podman {
            // It gives a volume to the user of the first container that mounts it.
            self.engine.prepare(name, "true");
        }
        prepare(&data);
        let options = options.iter().map(|option| option.replace("{}", name)).collect();
        self.add(name, options, code, data)
    }

    /// A container with options, of which `{}` is a directory of the host; `prepare` gets it before it exists.
    fn bind(
        &mut self,
        name: &'static str,
        options: &[&str],
        code: &'static str,
        prepare: impl Fn(&Path),
    ) -> &mut Scenario {
        let data = self.engine.dir().join("scenarios").join(name);
        fs::create_dir_all(data.parent().unwrap()).unwrap();
        prepare(&data);
        let options = options
            .iter()
            .map(|option| option.replace("{}", data.to_str().unwrap()))
            .collect();
        self.add(name, options, code, data)
    }

    fn add(&mut self, name: &'static str, options: Vec<String>, code: &'static str, data: PathBuf) -> &mut Scenario {
        self.scenarios.push(Scenario {
            name,
            options,
            code,
            data,
            expected: None,
            command: Vec::new(),
            mend: Mend::Nothing,
        });
        self.scenarios.last_mut().unwrap()
    }
}

impl Scenario {
    fn is(&mut self, cause: &'static str, kind: &'static str, command: &[&'static str], mend: Mend) {
        self.expected = Some((cause, kind));
        self.command = command.to_vec();
        self.mend = mend;
    }

    fn start(&self, engine: &Engine, options: &[String]) {
        let options = options.iter().map(String::as_str);
        let args = ["run", "-d", "--network", "none", "--name", self.name]
            .into_iter()
            .chain(options);
        let args: Vec<&str> = args.chain([IMAGE, "sh", "-c", self.code]).collect();
        // One whose program may not be executed is made and does not start.
        let _started = engine.try_run(&args);
    }

    /// Whether the container's own access works: it ended with 0, or it goes on.
    fn works(&self, engine: &Engine) -> bool {
        let told = || engine.run(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", self.name]);
        until("the container ends or sleeps", PATIENCE, || {
            let told = told();
            if told.starts_with("running") {
                let log = engine.try_run(&["logs", self.name]);
                let log = [log.stdout, log.stderr].concat();
                return log.windows(4).any(|four| four == b"DONE").then_some(true);
            }
            (!told.starts_with("created") || !told.ends_with(" 0")).then(|| told.ends_with(" 0"))
        })
    }
}

fn own(path: &Path, uid: u32, gid: u32, mode: u32) {
    chown(path, Some(uid), Some(gid)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn file(path: &Path, uid: u32, gid: u32, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "text\n").unwrap();
    own(path, uid, gid, mode);
}

/// An access control list as the kernel keeps it: version 2, then tag, permissions and id of each entry.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut raw = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        raw.extend(tag.to_le_bytes());
        raw.extend(permissions.to_le_bytes());
        raw.extend(id.to_le_bytes());
    }
    raw
}

/// A list that lets user 1000 write, and a mask that takes it away.
fn masked_acl() -> Vec<u8> {
    let none = u32::MAX;
    acl(&[
        (0x01, 7, none),
        (0x02, 7, 1000),
        (0x04, 5, none),
        (0x10, 5, none),
        (0x20, 5, none),
    ])
}

const WRITE: &str = "echo x > /data/new && echo DONE";

/// What every engine must tell apart.
fn everywhere(build: &mut Builder<'_>) {
    build
        .volume(
            "uid-changed",
            &["-u", "70:70", "-v", "{}:/data"],
            "cat /data/base/1 && echo x > /data/base/1",
            |data| {
                file(&data.join("PG_VERSION"), 999, 999, 0o600);
                file(&data.join("base/1"), 999, 999, 0o600);
                own(&data.join("base"), 999, 999, 0o700);
                own(data, 999, 999, 0o700);
            },
        )
        .is("uid_changed", "chown", &["uid-changed", "70:70"], Mend::Vole);
    build
        .volume("group", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |data| {
            own(data, 0, 2000, 0o770)
        })
        .is("group", "config", &["--group-add", "2000"], Mend::WithOption);
    build
        .volume("mode", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |data| {
            own(data, 1000, 1000, 0o500)
        })
        .is("mode", "chmod", &["mode"], Mend::Vole);
    build
        .volume(
            "deep",
            &["-u", "1000:1000", "-v", "{}:/data"],
            "echo more >> /data/a/b/secret && echo DONE",
            |data| {
                for name in ["one", "a/two", "a/b/three"] {
                    file(&data.join(name), 1000, 1000, 0o644);
                }
                file(&data.join("a/b/secret"), 0, 0, 0o600);
                for dir in ["a/b", "a", ""] {
                    own(&data.join(dir), 1000, 1000, 0o755);
                }
            },
        )
        .is("ownership", "chown", &["deep"], Mend::Vole);
    build.volume("read-only", &["-v", "{}:/data:ro"], WRITE, |_| {}).is(
        "read_only",
        "config",
        &[],
        Mend::With(vec!["-v".into(), "read-only:/data".into()]),
    );
    build
        .volume(
            "read-only-root",
            &["--read-only", "-v", "{}:/data"],
            "echo x > /data/new && echo x > /srv/empty/x && echo DONE",
            |_| {},
        )
        .is("read_only", "config", &["--tmpfs", "/srv/empty"], Mend::WithOption);
    build
        .volume("acl", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |data| {
            own(data, 0, 0, 0o755);
            lsetxattr(data, "system.posix_acl_access", &masked_acl(), XattrFlags::empty()).unwrap();
        })
        .is(
            "acl",
            "host",
            &["setfacl"],
            Mend::ByHand(Box::new(|data| own(data, 0, 0, 0o775))),
        );
    build
        .volume("caps", &["--cap-drop", "ALL", "-v", "{}:/data"], WRITE, |data| {
            own(data, 999, 999, 0o700)
        })
        .is(
            "capabilities",
            "config",
            &["--cap-add", "DAC_OVERRIDE"],
            Mend::WithOption,
        );
    no_faults(build);
}

/// What works, or is nobody's fault.
fn no_faults(build: &mut Builder<'_>) {
    build.volume("open", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |data| {
        own(data, 0, 0, 0o777)
    });
    build.volume(
        "member",
        &["-u", "1000:1000", "--group-add", "2000", "-v", "{}:/data"],
        WRITE,
        |data| {
            own(data, 0, 2000, 0o770);
        },
    );
    build.bind(
        "host-parent",
        &["-u", "1000:1000", "-v", "{}/below:/data"],
        WRITE,
        |data| {
            fs::create_dir_all(data.join("below")).unwrap();
            own(&data.join("below"), 1000, 1000, 0o755);
            own(data, 0, 0, 0o700);
        },
    );
    build.bind(
        "reader",
        &["-u", "1000:1000", "-v", "{}:/data"],
        "cat /data/conf && echo DONE && sleep 1000000",
        |data| {
            file(&data.join("conf"), 0, 0, 0o644);
        },
    );
    build.volume("root", &["-v", "{}:/data"], WRITE, |data| own(data, 999, 999, 0o700));
    build.volume(
        "ro-reader",
        &["-u", "1000:1000", "-v", "{}:/data:ro"],
        "cat /data/conf && echo DONE && sleep 1000000",
        |data| {
            file(&data.join("conf"), 0, 0, 0o644);
        },
    );
    build.volume(
        "talker",
        &["-v", "{}:/data"],
        "echo 'GET /admin 403 permission denied'; echo x > /data/x && echo DONE && sleep 1000000",
        |_| {},
    );
}

/// What podman does not do, or mends by itself: it gives fresh volumes to the container's user and makes no source of a bind.
fn on_docker(build: &mut Builder<'_>) {
    build
        .volume("fresh", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |_| {})
        .is("ownership", "chown", &["fresh", "1000:1000"], Mend::Vole);
    build
        .bind("auto-bind", &["-u", "1000:1000", "-v", "{}:/data"], WRITE, |_| {})
        .is("ownership", "chown", &["/auto-bind", "1000:1000"], Mend::Vole);
    build
        .volume("quiet", &["-u", "1000", "-v", "{}:/data"], "sleep 1000000", |_| {})
        .is("ownership", "chown", &["quiet", "1000:0"], Mend::Unmended);
    build
        .volume(
            "copy-up",
            &["-u", "1000:1000", "-v", "{}:/srv/empty"],
            "echo x > /srv/empty/x && echo DONE",
            |_| {},
        )
        .is("ownership", "chown", &["copy-up", "1000:1000"], Mend::Vole);
    build
        .volume(
            "parent",
            &["-u", "1000:1000", "-v", "{}:/locked/data"],
            "echo x > /locked/data/x",
            |data| {
                own(data, 1000, 1000, 0o755);
            },
        )
        .is("traverse", "host", &["/locked"], Mend::Unmended);
    build
        .volume(
            "tmpfs",
            &["-u", "1000:1000", "--tmpfs", "/srv/empty", "-v", "{}:/data"],
            "echo x > /srv/empty/x && echo DONE",
            |data| {
                own(data, 1000, 1000, 0o755);
            },
        )
        .is(
            "tmpfs",
            "config",
            &["--tmpfs", "/srv/empty:", "uid=1000"],
            Mend::WithOption,
        );
    build
        .volume("immutable", &["-v", "{}:/data"], WRITE, |data| chattr("+i", data))
        .is(
            "immutable",
            "host",
            &["chattr", "-i"],
            Mend::ByHand(Box::new(|data| chattr("-i", data))),
        );
    build
        .volume(
            "program",
            &["-v", "{}:/data", "--entrypoint", "/data/run"],
            "",
            |data| {
                file(&data.join("run"), 0, 0, 0o644);
                fs::write(data.join("run"), "#!/bin/sh\nexit 0\n").unwrap();
            },
        )
        .is("exec", "chmod", &["program:run"], Mend::Vole);
    build
        .volume(
            "owner-only",
            &["-u", "1000:1000", "-v", "{}:/data"],
            "chmod 644 /data/f",
            |data| {
                own(data, 0, 0, 0o777);
                file(&data.join("f"), 0, 0, 0o666);
            },
        )
        .is("owner_only", "chown", &["owner-only"], Mend::Vole);
    build
        .volume("cron", &["-v", "{}:/data"], "echo '1:M 21 Nov 2026 10:00:00.000 # Failed opening the RDB file root (in server root dir /etc/cron.d) for saving: Permission denied'; sleep 1000000", |_| {})
        .is("intrusion", "advice", &[], Mend::Unmended);
    build
        .volume("layer", &["-v", "{}:/data"], "mkdir -p /pg/global /pg/base && echo 15 > /pg/PG_VERSION && echo x > /pg/global/pg_control && sleep 1000000", |_| {})
        .is("data_at_risk", "config", &["-v", "/pg"], Mend::Unmended);
}

fn chattr(flag: &str, path: &Path) {
    let done = Command::new("chattr").arg(flag).arg(path).status().unwrap();
    assert!(done.success(), "chattr {flag} {}", path.display());
}

/// Takes the attribute off again, whatever happens: else the engine's directory cannot be removed.
struct Mutable(PathBuf);

impl Drop for Mutable {
    fn drop(&mut self) {
        if self.0.exists() {
            chattr("-i", &self.0);
        }
    }
}

/// The findings of a document by container.
fn by_container(document: &Value) -> BTreeMap<String, Vec<Value>> {
    let mut by = BTreeMap::<String, Vec<Value>>::new();
    for finding in document["findings"].as_array().unwrap() {
        let container = finding["container"].as_str().unwrap_or("").to_owned();
        by.entry(container).or_default().push(finding.clone());
    }
    by
}

fn words(command: &str) -> Vec<String> {
    command
        .split_whitespace()
        .map(|word| word.trim_matches('\'').to_owned())
        .collect()
}

/// Builds all, diagnoses once, and mends one after the other.
fn tell_apart(engine: &Engine, add: impl Fn(&mut Builder<'_>)) {
    let mut builder = Builder {
        engine,
        scenarios: Vec::new(),
    };
    everywhere(&mut builder);
    add(&mut builder);
    let scenarios = builder.scenarios;
    let guarded = scenarios.iter().find(|scenario| scenario.name == "immutable");
    let _mutable = guarded.map(|scenario| Mutable(scenario.data.clone()));
    for scenario in &scenarios {
        scenario.start(engine, &scenario.options);
    }
    for scenario in &scenarios {
        if scenario.code.contains("sleep") || matches!(scenario.mend, Mend::Unmended) {
            continue;
        }
        assert_eq!(
            scenario.works(engine),
            scenario.expected.is_none(),
            "{} before",
            scenario.name
        );
    }
    let dumps: BTreeMap<&str, Vec<String>> = scenarios.iter().map(|one| (one.name, dump(&one.data))).collect();
    let document = vole().on(engine.host()).run(&["doctor", "--json"]).expect(4).json();
    let mut found = by_container(&document);
    let mut wrong = Vec::new();
    for scenario in &scenarios {
        let findings = found.remove(scenario.name).unwrap_or_default();
        if let Err(why) = judge(scenario, &findings) {
            wrong.push(why);
        }
        assert_eq!(
            dump(&scenario.data),
            dumps[scenario.name],
            "{}: the doctor changed something",
            scenario.name
        );
    }
    assert!(wrong.is_empty(), "{}\n\nand beside: {found:?}", wrong.join("\n\n"));
    assert!(found.is_empty(), "findings about nothing: {found:?}");
    for scenario in &scenarios {
        let finding = by_container(&document)
            .remove(scenario.name)
            .map(|mut all| all.remove(0));
        mend(engine, scenario, finding.as_ref(), &dumps[scenario.name]);
    }
}

/// Whether the findings about a container are the one that is due.
fn judge(scenario: &Scenario, findings: &[Value]) -> Result<(), String> {
    let said = |what: &str| {
        Err(format!(
            "{}: {what}: {}",
            scenario.name,
            serde_json::to_string_pretty(findings).unwrap()
        ))
    };
    match (scenario.expected, findings) {
        (None, []) => Ok(()),
        (None, _) => said("no fault, but a finding"),
        (Some((cause, kind)), [finding]) => {
            let command = finding["fix"]["command"].as_str().unwrap_or("");
            if finding["cause"] != cause || finding["fix"]["kind"] != kind {
                return said(&format!("not {cause} with {kind}"));
            }
            if !scenario.command.iter().all(|part| command.contains(part)) {
                return said(&format!("the command lacks one of {:?}", scenario.command));
            }
            if finding["evidence"].as_array().is_none_or(Vec::is_empty) {
                return said("no evidence");
            }
            Ok(())
        }
        (Some((cause, _)), _) => said(&format!("not the one finding {cause}")),
    }
}

fn mend(engine: &Engine, scenario: &Scenario, finding: Option<&Value>, before: &[String]) {
    let again = |options: &[String]| {
        engine.run(["rm", "-f", scenario.name]);
        scenario.start(engine, options);
        assert!(
            scenario.works(engine),
            "{} after it was made anew with {options:?}",
            scenario.name
        );
    };
    let command = || words(finding.unwrap()["fix"]["command"].as_str().unwrap());
    match &scenario.mend {
        Mend::Nothing | Mend::Unmended => {}
        Mend::WithOption => again(&[scenario.options.clone(), command()].concat()),
        Mend::With(options) => again(options),
        Mend::ByHand(by_hand) => {
            by_hand(&scenario.data);
            engine.run(["start", scenario.name]);
            assert!(scenario.works(engine), "{} after it was mended", scenario.name);
        }
        Mend::Vole => {
            let home = Home::new();
            let on = vole().on(engine.host());
            let command = command();
            assert_eq!(command[0], "vole");
            let mut args: Vec<&str> = command[1..].iter().map(String::as_str).collect();
            args.extend(["--json", "--yes"]);
            let done = on.run_in(&home, &args).expect(0).json();
            assert!(done["change"].as_u64().unwrap() > 0, "{done}");
            let journal = done["journal"].as_str().unwrap().to_owned();
            let after = on.run_in(&home, &["doctor", scenario.name, "--json"]);
            // Right away undone: byte for byte as before. Then again, and the container is the judge.
            let undone = on
                .run_in(&home, &["undo", &journal, "--yes", "--json"])
                .expect(0)
                .json();
            assert_eq!(undone["restored"], done["change"], "{undone}");
            assert_eq!(dump(&scenario.data), before, "{}: undone", scenario.name);
            assert_eq!(after.code(), 0, "{} is not mended: {}", scenario.name, after.text());
            on.run_in(&home, &args).expect(0).json();
            let _started = engine.try_run(&["start", scenario.name]);
            assert!(scenario.works(engine), "{} after {command:?}", scenario.name);
        }
    }
}

#[test]
fn causes_are_told_apart_on_docker() {
    if let Some(engine) = world::own(Family::Docker) {
        tell_apart(&engine, on_docker);
    }
}

#[test]
fn causes_are_told_apart_on_podman() {
    if let Some(engine) = world::own(Family::Podman) {
        tell_apart(&engine, |_| {});
    }
}

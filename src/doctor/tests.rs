//! Cases and what the rules say of them: one per cause, and as many where nothing is wrong.

use super::evidence::Untried;
use super::finding::{Cause, Confidence, Finding};
use super::sample::{A, bind, container, dir, file, full_root, root, user, volume};
use super::{Fix, examine, may};
use crate::engine::daemon::Flavour;
use crate::model::{ContainerState, MountKind};

/// The only finding.
fn one(case: A) -> Finding {
    let mut found = examine(&case.case());
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

fn none(case: A) {
    assert_eq!(examine(&case.case()), []);
}

fn app() -> A {
    container("busybox").runs_as(user(1000, 1000))
}

fn command(finding: &Finding) -> String {
    finding.fix.command().unwrap_or_default()
}

const TOUCH: &str = "touch: /data/x: Permission denied";

// Owners, groups, modes.

#[test]
fn a_fresh_volume_of_root_for_another_user() {
    let finding = one(app()
        .mounts(volume("data", "/data", dir(0, 0, 0o755)))
        .says(TOUCH)
        .ended(1));
    assert_eq!(
        (finding.cause, finding.confidence),
        (Cause::Ownership, Confidence::High)
    );
    assert_eq!(command(&finding), "vole chown data 1000:1000");
    let evidence = finding.evidence.join("\n");
    for part in [
        "runs as 1000:1000",
        "0:0, mode 0755",
        "writing EACCES",
        "as root: allowed",
        "touch: /data/x",
        "exit code 1",
    ] {
        assert!(evidence.contains(part), "{part}: {evidence}");
    }
    assert!(finding.caveats.is_empty() && finding.wrong_fixes[0].contains("777"));
}

#[test]
fn a_silent_one_is_found_too_but_not_so_surely() {
    let finding = one(app().mounts(volume("data", "/data", dir(0, 0, 0o755))));
    assert_eq!(
        (finding.cause, finding.confidence),
        (Cause::Ownership, Confidence::Medium)
    );
}

#[test]
fn an_unknown_user_in_roots_group_wants_the_owner_and_no_group() {
    let case = container("busybox")
        .runs_as(user(1234, 0))
        .mounts(volume("data", "/data", dir(0, 0, 0o755)));
    assert_eq!(command(&one(case)), "vole chown data 1234:0");
}

#[test]
fn a_bind_that_the_engine_made_is_named_by_its_source() {
    let finding = one(app().mounts(bind("/srv/app data", "/data", dir(0, 0, 0o755)).empty()));
    assert_eq!(finding.cause, Cause::Ownership);
    assert_eq!(command(&finding), "vole chown '/srv/app data' 1000:1000");
}

#[test]
fn an_empty_volume_on_a_path_of_the_image_reverts() {
    let on = || volume("data", "/data", dir(0, 0, 0o755)).in_image();
    let finding = one(app().mounts(on()).says(TOUCH));
    assert!(finding.caveats[0].contains("nocopy"), "{:?}", finding.caveats);
    assert!(one(app().mounts(on().filled()).says(TOUCH)).caveats.is_empty());
    assert!(
        one(app().mounts(on().attached_with("nocopy")).says(TOUCH))
            .caveats
            .is_empty()
    );
}

#[test]
fn files_of_one_old_user_mean_that_the_image_changed_it() {
    let on = volume("pg", "/var/lib/postgresql/data", dir(999, 999, 0o700)).filled();
    let case = container("postgres:16-alpine")
        .runs_as(user(70, 70))
        .mounts(on)
        .ended(1);
    let finding =
        one(case.says("FATAL:  could not open file \"/var/lib/postgresql/data/PG_VERSION\": Permission denied"));
    assert_eq!(finding.cause, Cause::UidChanged);
    assert_eq!(command(&finding), "vole chown pg 70:70 --from 999");
}

#[test]
fn root_without_capabilities_needs_them_and_no_chown() {
    let on = || volume("data", "/data", dir(999, 999, 0o700)).filled();
    let case = container("busybox")
        .runs_as(root(0))
        .mounts(on())
        .run(|run| run.cap_drop = vec!["ALL".to_owned()]);
    let finding = one(case.says("ls: can't open '/data': Permission denied").ended(1));
    assert_eq!(finding.cause, Cause::Capabilities);
    assert_eq!(command(&finding), "--cap-add DAC_OVERRIDE");
    assert_eq!(finding.fix.compose(), Some("cap_add: [DAC_OVERRIDE]"));
    assert!(finding.wrong_fixes[0].starts_with("chown"));
    none(container("busybox").runs_as(full_root()).mounts(on()));
}

#[test]
fn a_group_that_has_the_access_is_added() {
    let on = volume("shared", "/data", dir(0, 2000, 0o770)).shared_with("other", user(5, 2000));
    let finding = one(app().mounts(on).says(TOUCH).ended(1));
    assert_eq!(finding.cause, Cause::Group);
    assert_eq!(command(&finding), "--group-add 2000");
    assert_eq!(finding.fix.compose(), Some("group_add: [\"2000\"]"));
    assert!(finding.wrong_fixes[0].contains("other"), "{:?}", finding.wrong_fixes);
}

#[test]
fn the_right_owner_with_too_few_bits_wants_a_chmod() {
    let finding = one(app()
        .mounts(volume("data", "/data", dir(1000, 1000, 0o500)))
        .says(TOUCH));
    assert_eq!(finding.cause, Cause::Mode);
    assert_eq!(command(&finding), "vole chmod data u+rwX");
    let group = app().mounts(volume("data", "/data", dir(7, 1000, 0o750))).says(TOUCH);
    assert_eq!(command(&one(group)), "vole chmod data g+rwX");
}

#[test]
fn one_foreign_file_deep_in_a_right_tree() {
    let on = |extra| {
        volume("data", "/data", dir(1000, 1000, 0o755))
            .with("a", dir(1000, 1000, 0o755))
            .with("a/key", extra)
    };
    let finding = one(app().mounts(on(file(0, 0, 0o600))));
    assert_eq!(
        (finding.cause, finding.confidence),
        (Cause::Ownership, Confidence::Medium)
    );
    assert_eq!(command(&finding), "vole chown data:a/key 1000:1000");
    assert_eq!(finding.path.as_deref(), Some("/data/a/key"));
    none(app().mounts(on(file(0, 0, 0o644))));
    none(app().mounts(on(file(1000, 1000, 0o400))));
    let named = app()
        .mounts(on(file(0, 0, 0o644)))
        .says("sh: can't create /data/a/key: Permission denied");
    assert_eq!(one(named).confidence, Confidence::High);
}

#[test]
fn several_foreign_files_are_changed_by_their_owner() {
    let on = volume("data", "/data", dir(1000, 1000, 0o755))
        .with("a", file(1000, 1000, 0o644))
        .with("b", file(0, 0, 0o600))
        .with("c", file(0, 0, 0o600));
    assert_eq!(command(&one(app().mounts(on))), "vole chown data 1000:1000 --from 0");
}

#[test]
fn data_of_another_live_user_is_not_taken_away() {
    let on = || {
        volume("data", "/data", dir(999, 999, 0o755))
            .filled()
            .shared_with("db", user(999, 999))
    };
    none(app().mounts(on()));
    let finding = one(app().mounts(on()).says(TOUCH).ended(1));
    assert_eq!(command(&finding), "--user 999:999");
    assert!(finding.wrong_fixes[0].contains("db runs as 999:999"));
}

#[test]
fn a_directory_of_the_host_is_refused() {
    let device = volume("etc", "/data", dir(0, 0, 0o755))
        .filled()
        .option("type", "none")
        .option("o", "bind")
        .option("device", "/etc");
    let finding = one(app().mounts(device).says(TOUCH).ended(1));
    assert!(
        matches!(&finding.fix, Fix::Refused { why } if why.contains("/etc")),
        "{finding:?}"
    );
    let home = one(app().mounts(bind("/home/ann", "/data", dir(0, 0, 0o755))).says(TOUCH));
    assert_eq!((home.fix.kind(), home.fix.command()), ("refused", None));
}

// What else refuses.

#[test]
fn a_read_only_attachment_that_is_written_to() {
    let on = || volume("data", "/data", dir(1000, 1000, 0o755)).read_only();
    let finding = one(app()
        .mounts(on())
        .says("touch: /data/x: Read-only file system")
        .ended(1));
    assert_eq!(finding.cause, Cause::ReadOnly);
    assert_eq!(command(&finding), "-v data:/data");
    none(app().mounts(on()));
    let pathless = app().mounts(on()).says("write failed: Read-only file system").ended(1);
    assert_eq!(one(pathless).confidence, Confidence::Medium);
}

#[test]
fn a_read_only_root_wants_a_tmpfs_and_leaves_the_volume_alone() {
    let on = volume("data", "/data", dir(1000, 1000, 0o755));
    let case = app().mounts(on).run(|run| run.readonly_rootfs = true);
    let finding = one(case.says("touch: /tmp/x: Read-only file system").ended(1));
    assert_eq!((finding.cause, finding.mount.clone()), (Cause::ReadOnly, None));
    assert_eq!(command(&finding), "--tmpfs /tmp");
}

#[test]
fn a_volume_that_cannot_be_mounted() {
    let error = "error while mounting volume '/v/_data': failed to mount local volume: mount /srv/gone:/v/_data, flags: \
                 0x1000: no such file or directory";
    let on = || {
        volume("gone", "/data", dir(0, 0, 0))
            .option("o", "bind")
            .option("device", "/srv/gone")
    };
    let on = || on().untried(Untried::MountFailed(error.to_owned()));
    let finding = one(app().mounts(on()).in_state(ContainerState::Created));
    assert_eq!(finding.cause, Cause::MountFailed);
    assert_eq!(command(&finding), "sudo mkdir -p /srv/gone");
    let told = app().mounts(on()).run(|run| run.error = error.to_owned()).ended(128);
    assert_eq!(one(told).cause, Cause::MountFailed);
}

#[test]
fn a_path_that_a_snap_cannot_make() {
    let error = "error while creating mount source path '/mnt/x': mkdir /mnt/x: read-only file system";
    let on = bind("/mnt/x", "/data", dir(0, 0, 0)).untried(Untried::NotTried("missing".to_owned()));
    let finding = one(app()
        .mounts(on)
        .run(|run| run.error = error.to_owned())
        .in_state(ContainerState::Created));
    assert_eq!(finding.cause, Cause::MountFailed);
    assert!(finding.fix.words().is_some_and(|words| words.contains("snap")));
}

#[test]
fn a_parent_that_cannot_be_passed() {
    let on = || volume("data", "/srv/x/data", dir(1000, 1000, 0o755)).below("/srv/x", 0, 0o700);
    let finding = one(app()
        .mounts(on())
        .says("touch: /srv/x/data/f: Permission denied")
        .ended(1));
    assert_eq!(
        (finding.cause, finding.path.as_deref()),
        (Cause::Traverse, Some("/srv/x"))
    );
    assert_eq!(command(&finding), "RUN chmod o+x /srv/x");
    assert_eq!(
        command(&one(app().mounts(on()))),
        "docker exec --user 0 web chmod o+x /srv/x"
    );
    none(app().mounts(volume("data", "/srv/x/data", dir(1000, 1000, 0o755)).below("/srv/x", 0, 0o711)));
}

#[test]
fn a_tmpfs_takes_its_owner_from_its_options() {
    let on = || {
        volume("web:/cache", "/cache", dir(0, 0, 0o755))
            .kind(MountKind::Tmpfs)
            .on("tmpfs")
    };
    let finding = one(app().mounts(on()).says("touch: /cache/x: Permission denied"));
    assert_eq!(finding.cause, Cause::Tmpfs);
    assert_eq!(command(&finding), "--tmpfs /cache:uid=1000,gid=1000,mode=1770");
    assert_eq!(
        finding.fix.compose(),
        Some("tmpfs: [\"/cache:uid=1000,gid=1000,mode=1770\"]")
    );
    let gone = app()
        .mounts(on().untried(Untried::NotThere))
        .says("touch: /cache/x: Permission denied")
        .ended(1);
    assert_eq!(one(gone).confidence, Confidence::Medium);
    none(app().mounts(on().untried(Untried::NotThere)).ended(0));
}

#[test]
fn a_full_volume_and_one_without_inodes() {
    let on = |available, inodes_free| {
        let on = volume("small", "/data", dir(1000, 1000, 0o755))
            .on("tmpfs")
            .option("type", "tmpfs")
            .option("o", "size=64k");
        on.space(65_536, available, 100, inodes_free)
    };
    let finding = one(app()
        .mounts(on(0, 50))
        .says("dd: error writing '/data/x': No space left on device")
        .ended(1));
    assert_eq!((finding.cause, finding.confidence), (Cause::NoSpace, Confidence::High));
    assert!(
        finding.evidence[0].contains("50 of 100 inodes free"),
        "{:?}",
        finding.evidence
    );
    assert_eq!(one(app().mounts(on(4096, 0))).cause, Cause::NoInodes);
    none(
        app()
            .mounts(on(4096, 50))
            .says("dd: error writing '/data/x': No space left on device"),
    );
    none(
        app()
            .mounts(on(4096, 50))
            .says("Error: ENOSPC: System limit for number of file watchers reached, watch '/data'"),
    );
    let btrfs = volume("b", "/data", dir(1000, 1000, 0o755))
        .on("btrfs")
        .space(1 << 30, 1 << 29, 0, 0);
    none(app().mounts(btrfs));
}

#[test]
fn one_full_disk_is_one_fault() {
    let on = |name: &str| volume(name, &format!("/{name}"), dir(1000, 1000, 0o755)).space(1 << 30, 0, 9, 9);
    assert_eq!(one(app().mounts(on("a")).mounts(on("b"))).cause, Cause::NoSpace);
}

#[test]
fn an_attribute_binds_root_too() {
    let mut facts = dir(1000, 1000, 0o755);
    facts.immutable = true;
    let finding = one(app()
        .mounts(bind("/srv/x", "/data", facts).answers([0, 1, 0, 1]))
        .says("touch: /data/x: Operation not permitted"));
    assert_eq!(finding.cause, Cause::Immutable);
    assert_eq!(command(&finding), "sudo chattr -i /srv/x");
}

#[test]
fn a_mask_takes_away_what_the_list_gives() {
    let mut facts = dir(0, 0, 0o750);
    facts.acl = Some(may::tests::acl(&[
        (1, 7, !0),
        (2, 7, 1000),
        (4, 5, !0),
        (16, 5, !0),
        (32, 0, !0),
    ]));
    let finding = one(app().mounts(bind("/srv/x", "/data", facts)).says(TOUCH));
    assert_eq!(finding.cause, Cause::Acl);
    assert_eq!(command(&finding), "sudo setfacl -m m::rwx /srv/x");
}

#[test]
fn what_only_owners_may() {
    let on = || volume("data", "/data", dir(0, 0, 0o777)).filled();
    let finding = one(app()
        .mounts(on())
        .says("chmod: /data/x: Operation not permitted")
        .ended(1));
    assert_eq!(finding.cause, Cause::OwnerOnly);
    assert_eq!(command(&finding), "vole chown data 1000:1000");
    assert!(finding.wrong_fixes[0].contains("777"));
    none(app().mounts(on()));
    let own = volume("data", "/data", dir(1000, 1000, 0o777));
    none(
        app()
            .mounts(own)
            .says("chmod: /data/x: Operation not permitted")
            .ended(1),
    );
}

#[test]
fn postgres_wants_its_directory_for_itself() {
    let on = |mode| volume("pg", "/pg", dir(1000, 1000, mode)).filled();
    let says = |mode| {
        app()
            .mounts(on(mode))
            .says("FATAL:  data directory \"/pg\" has invalid permissions")
            .ended(1)
    };
    let finding = one(says(0o777));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Mode, "vole chmod pg u=rwx,go=")
    );
    none(says(0o700));
    let owner = volume("pg", "/pg", dir(0, 0, 0o777)).filled();
    let owner = app()
        .mounts(owner)
        .says("FATAL:  data directory \"/pg\" has wrong ownership")
        .ended(1);
    assert_eq!(command(&one(owner)), "vole chown pg 1000:1000");
}

#[test]
fn a_program_that_may_not_be_executed() {
    let error = "OCI runtime create failed: exec: \"/app/run.sh\": permission denied: unknown";
    let finding = one(app().run(|run| run.error = error.to_owned()).ended(126));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Exec, "RUN chmod a+x /app/run.sh")
    );
    let on = || volume("app", "/app", dir(1000, 1000, 0o755)).filled();
    let on_mount = one(app().mounts(on()).run(|run| run.error = error.to_owned()).ended(126));
    assert_eq!(command(&on_mount), "vole chmod app:run.sh a+x");
    let noexec = one(app()
        .mounts(on().noexec())
        .run(|run| run.error = error.to_owned())
        .ended(126));
    assert!(noexec.fix.words().is_some_and(|words| words.contains("noexec")));
}

#[test]
fn a_working_directory_that_may_not_be_entered() {
    let error = "chdir to cwd (\"/srv/w\") set in config.json failed: permission denied";
    let finding = one(app().run(|run| run.error = error.to_owned()).ended(126));
    assert_eq!(
        (finding.cause, finding.path.as_deref()),
        (Cause::Traverse, Some("/srv/w"))
    );
    let on = volume("w", "/srv/w", dir(0, 0, 0o700));
    let finding = one(app().mounts(on).run(|run| run.error = error.to_owned()).ended(126));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Ownership, "vole chown w 1000:1000")
    );
    let made = app()
        .run(|run| run.error = error.to_owned())
        .in_state(ContainerState::Created);
    assert_eq!(one(made).cause, Cause::Traverse);
    let on = volume("w", "/srv/w", dir(0, 0, 0o700));
    let made = app().mounts(on).run(|run| run.error = error.to_owned());
    assert_eq!(one(made.in_state(ContainerState::Created)).cause, Cause::Ownership);
}

#[test]
fn an_entrypoint_without_its_capabilities() {
    let drop = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let case = container("redis:7")
        .runs_as(root(0))
        .run(|run| run.cap_drop = drop(&["ALL"]));
    let finding = one(case
        .says("error: failed switching to \"redis\": operation not permitted")
        .ended(1));
    assert_eq!(command(&finding), "--cap-add SETGID --cap-add SETUID");
    let case = container("redis:7")
        .runs_as(full_root())
        .run(|run| run.cap_drop = drop(&["CAP_CHOWN"]));
    let finding = one(case
        .says("chown: changing ownership of '.': Operation not permitted")
        .ended(1));
    assert_eq!(finding.fix.compose(), Some("cap_add: [CHOWN]"));
}

// Recorded evidence: nothing of this can be built on the machine that tests.

#[test]
fn a_share_of_another_machine_decides_itself() {
    let on = || volume("share", "/data", dir(65534, 65534, 0o755)).filled().on("nfs4");
    let case = container("postgres:16")
        .runs_as(full_root())
        .mounts(on().answers([0, 13, 0, 13]));
    let finding = one(case
        .says("chown: changing ownership of '/data': Operation not permitted")
        .ended(1));
    assert_eq!((finding.cause, finding.fix.kind()), (Cause::RemoteFs, "advice"));
    let unasked = app()
        .mounts(on().untried(Untried::NotTried("nfs is measured only when named".to_owned())))
        .says(TOUCH);
    assert_eq!(one(unasked).confidence, Confidence::Medium);
    let squashed = container("postgres:16")
        .runs_as(full_root())
        .mounts(volume("s", "/data", dir(0, 0, 0o777)).on("nfs4"));
    let squashed = one(squashed
        .says("chown: changing ownership of '/data': Operation not permitted")
        .ended(1));
    assert_eq!(squashed.cause, Cause::RemoteFs);
    none(app().mounts(volume("share", "/data", dir(1000, 1000, 0o755)).on("nfs4")));
}

#[test]
fn owners_without_a_number_in_the_namespace() {
    let on = || bind("/srv/x", "/data", dir(65534, 65534, 0o755));
    let podman = app().mounts(on()).says(TOUCH).engine(|about| {
        about.flavour = Flavour::Podman;
        about.rootless = true;
    });
    let finding = one(podman);
    assert_eq!(finding.cause, Cause::Userns);
    assert_eq!(command(&finding), "podman unshare chown -R 1000:1000 /srv/x");
    let remap = one(app()
        .mounts(on())
        .says(TOUCH)
        .engine(|about| about.security.push("name=userns".to_owned())));
    assert!(command(&remap).contains("^dockremap:"), "{}", command(&remap));
    assert_eq!(one(app().mounts(on()).says(TOUCH)).cause, Cause::UidChanged);
}

#[test]
fn a_label_that_containers_may_not_use() {
    let labelled = |label: &str| {
        let mut facts = dir(1000, 1000, 0o755);
        facts.label = Some(format!("system_u:object_r:{label}:s0\0").into_bytes());
        facts
    };
    let on = |source: &str, label: &str| bind(source, "/data", labelled(label));
    let enforcing = |on| {
        app()
            .mounts(on)
            .says(TOUCH)
            .engine(|about| about.security.push("name=selinux".to_owned()))
    };
    for answers in [[0, 0, 0, 0], [13, 13, 13, 13]] {
        let finding = one(enforcing(on("/srv/x", "default_t").answers(answers)));
        assert_eq!(finding.cause, Cause::Selinux);
        assert_eq!(command(&finding), "-v /srv/x:/data:z");
    }
    assert_eq!(
        one(enforcing(on("/home", "home_root_t").answers([13; 4]))).fix.kind(),
        "refused"
    );
    none(enforcing(on("/srv/x", "container_file_t")));
    none(enforcing(on("/srv/x", "default_t")).run(|run| run.security_opt.push("label=disable".to_owned())));
}

#[test]
fn a_share_of_docker_desktop() {
    let on = || bind("/host_mnt/x", "/data", dir(0, 0, 0o755)).on("fakeowner");
    let desktop = |case: A| case.engine(|about| about.os = "Docker Desktop".to_owned());
    let finding = one(desktop(app().mounts(on()).says(TOUCH)));
    assert_eq!((finding.cause, finding.fix.kind()), (Cause::DesktopShare, "config"));
    let owner = container("postgres:16")
        .runs_as(user(999, 999))
        .mounts(bind("/host_mnt/x", "/data", dir(0, 0, 0o777)).on("fakeowner"));
    let owner = one(desktop(
        owner
            .says("FATAL:  data directory \"/data\" has wrong ownership")
            .ended(1),
    ));
    assert_eq!(owner.cause, Cause::DesktopShare);
}

#[test]
fn somebody_else_commands_the_service() {
    let on = volume("r", "/data", dir(999, 999, 0o755));
    let case = container("redis:7").runs_as(user(999, 999)).mounts(on);
    let line =
        "1:M # Failed opening the RDB file crontab (in server root dir /etc/cron.d) for saving: Permission denied";
    assert_eq!(one(case.says(line)).cause, Cause::Intrusion);
}

// Data at risk, and what stays unknown.

#[test]
fn a_database_on_no_mount() {
    let paths = ["/var/lib/postgresql/18/docker/PG_VERSION", "/etc/hosts"];
    let finding = one(container("postgres:18")
        .runs_as(full_root())
        .wrote(&paths, Some(1 << 25)));
    assert_eq!(
        (finding.cause, finding.confidence),
        (Cause::DataAtRisk, Confidence::High)
    );
    assert_eq!(command(&finding), "-v NAME:/var/lib/postgresql/18/docker");
    let on = volume("pg", "/var/lib/postgresql", dir(999, 999, 0o755));
    none(
        container("postgres:18")
            .runs_as(full_root())
            .mounts(on)
            .wrote(&paths, Some(1 << 25)),
    );
    assert_eq!(one(app().wrote(&["/x"], Some(1 << 30))).confidence, Confidence::Low);
    none(app().wrote(&["/tmp/test.sqlite3", "/root/.bash_history"], Some(1 << 20)));
}

#[test]
fn a_volume_that_goes_with_its_container() {
    let on = || volume("aaaa", "/data", dir(1000, 1000, 0o755)).kind(MountKind::Anonymous);
    let finding = one(app().mounts(on().filled()).run(|run| run.auto_remove = true));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::DataAtRisk, "-v NAME:/data")
    );
    none(app().mounts(on()).run(|run| run.auto_remove = true));
    none(app().mounts(on().filled()));
}

#[test]
fn a_path_of_the_image_and_a_refusal_without_any() {
    let on = || volume("data", "/data", dir(1000, 1000, 0o755));
    let finding = one(app().mounts(on()).says("touch: /app/x: Permission denied").ended(1));
    assert_eq!((finding.cause, finding.mount.clone()), (Cause::Ownership, None));
    assert!(
        finding
            .fix
            .words()
            .is_some_and(|words| words.contains("volume at /app"))
    );
    let finding = one(app().mounts(on()).says("fatal: Permission denied").ended(1));
    assert_eq!((finding.cause, finding.confidence), (Cause::Unknown, Confidence::Low));
    none(app().mounts(on()).says("fatal: Permission denied"));
}

// Nothing is wrong.

#[test]
fn what_works_now_was_mended() {
    none(
        app()
            .mounts(volume("data", "/data", dir(1000, 1000, 0o755)))
            .says(TOUCH)
            .crashes(),
    );
    none(app().mounts(volume("data", "/data", dir(0, 0, 0o777))).says(TOUCH));
    none(app().mounts(volume("data", "/data", dir(0, 0, 0o777))));
}

#[test]
fn binds_and_single_files_are_left_alone_without_a_complaint() {
    none(app().mounts(bind("/srv/www", "/www", dir(0, 0, 0o755))));
    none(app().mounts(bind("/srv/www", "/www", dir(33, 33, 0o755)).empty()));
    none(
        app()
            .mounts(bind("/etc/localtime", "/etc/localtime", file(0, 0, 0o644)))
            .ended(1),
    );
    none(
        app()
            .mounts(bind("/srv/www", "/www", dir(0, 0, 0o755)))
            .says("cannot connect to the database")
            .ended(1),
    );
    let silent = one(app().mounts(bind("/srv/www", "/www", dir(0, 0, 0o755))).ended(1));
    assert_eq!(silent.confidence, Confidence::Medium);
}

#[test]
fn a_failure_that_is_explained_blames_no_other_bind() {
    let case =
        app()
            .mounts(bind("/srv/www", "/www", dir(0, 0, 0o700)))
            .mounts(volume("data", "/data", dir(0, 0, 0o755)));
    let finding = one(case.says(TOUCH).ended(1));
    assert_eq!(finding.path.as_deref(), Some("/data"));
}

#[test]
fn a_master_that_may_is_enough_until_a_worker_complains() {
    let case = || {
        let on = volume("cache", "/var/cache/nginx", dir(0, 0, 0o755)).filled();
        container("nginx")
            .runs_as(full_root())
            .runs_as(user(101, 101))
            .mounts(on)
    };
    none(case());
    let finding = one(case().says("[crit] open() \"/var/cache/nginx/x\" failed (13: Permission denied)"));
    assert_eq!(command(&finding), "vole chown cache 101:101");
}

#[test]
fn volumes_that_are_written_to_by_somebody_are_in_use() {
    let deep = volume("data", "/data", dir(0, 0, 0o755)).with("app", dir(1000, 1000, 0o755));
    none(app().mounts(deep));
    none(
        app().mounts(
            volume("html", "/html", dir(33, 33, 0o755))
                .filled()
                .shared_with("php", user(33, 33)),
        ),
    );
}

#[test]
fn containers_that_never_started_and_read_only_mounts_say_nothing() {
    none(
        app()
            .mounts(volume("data", "/data", dir(0, 0, 0o755)))
            .in_state(ContainerState::Created),
    );
    none(app().mounts(volume("conf", "/conf", dir(0, 0, 0o755)).read_only().filled()));
    none(
        container("postgres:16")
            .runs_as(full_root())
            .mounts(volume("pg", "/pg", dir(0, 0, 0o755))),
    );
    none(app().mounts(volume("data", "/data", dir(1000, 1000, 0o755)).with("lost+found", dir(0, 0, 0o700))));
}

#[test]
fn benign_words_of_postgres_are_none() {
    let on = volume("pg", "/var/lib/postgresql/data", dir(1000, 1000, 0o700));
    let line = "chmod: changing permissions of '/var/run/postgresql': Operation not permitted";
    none(app().mounts(on).says(line));
}

#[test]
fn being_stopped_is_no_failure() {
    none(app().mounts(bind("/srv/www", "/www", dir(0, 0, 0o755))).ended(143));
    none(app().mounts(bind("/srv/www", "/www", dir(0, 0, 0o755))).ended(137));
}

// Paths that complaints name.

/// A volume of the process's own.
fn own() -> super::sample::On {
    volume("data", "/data", dir(1000, 1000, 0o755)).with("x", file(1000, 1000, 0o644))
}

const DEEP: &str = "Error: EACCES: permission denied, open '/data/a/b/c/d/e'";
const ABOVE: [&str; 4] = ["a", "a/b", "a/b/c", "a/b/c/d"];

#[test]
fn a_named_path_is_judged_however_deep_it_lies() {
    let above = ABOVE.map(|path| (path, dir(1000, 1000, 0o755)));
    let says = |there: Option<vole_agent::proto::probe::Facts>| {
        app().mounts(own().named("a/b/c/d/e", there, &above)).says(DEEP)
    };
    let finding = one(says(Some(file(0, 0, 0o600))));
    assert_eq!(
        (finding.cause, finding.confidence),
        (Cause::Ownership, Confidence::High)
    );
    assert_eq!(command(&finding), "vole chown data:a/b/c/d/e 1000:1000");
    assert_eq!(finding.path.as_deref(), Some("/data/a/b/c/d/e"));
    assert!(
        matches!(&finding.fix, Fix::Chown { change, .. } if !change.recursive && change.from_uid.is_none()),
        "{finding:?}"
    );
    let finding = one(says(Some(file(1000, 1000, 0o400))));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Mode, "vole chmod data:a/b/c/d/e u+rwX")
    );
    none(says(Some(file(1000, 1000, 0o644))));
    none(says(None));
    // A file of somebody else's that it only reads.
    let reads = "cat: can't open '/data/a/b/c/d/e': Permission denied";
    let readable = own().named("a/b/c/d/e", Some(file(0, 0, 0o644)), &above);
    none(app().mounts(readable).says(reads));
}

#[test]
fn a_missing_path_is_judged_by_its_nearest_directory() {
    let line = "mkdir: can't create directory '/data/cache/a/b': Permission denied";
    let on = |facts| own().named("cache/a/b", None, &[("cache", facts)]);
    let finding = one(app().mounts(on(dir(0, 0, 0o755))).says(line).ended(1));
    assert_eq!(command(&finding), "vole chown data:cache 1000:1000");
    assert!(
        finding
            .evidence
            .iter()
            .any(|line| line.contains("/data/cache/a/b is not there")),
        "{:?}",
        finding.evidence
    );
    none(app().mounts(on(dir(1000, 1000, 0o755))).says(line).ended(1));
}

#[test]
fn a_directory_in_between_is_opened_and_not_given_away() {
    let on = |there| own().named("a/b/c/d/e", Some(there), &[("a", dir(0, 0, 0o700))]);
    let finding = one(app().mounts(on(file(1000, 1000, 0o644))).says(DEEP));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Traverse, "vole chmod data:a o+x")
    );
    let finding = one(app().mounts(on(file(0, 0, 0o600))).says(DEEP));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Ownership, "vole chown data:a 1000:1000")
    );
}

#[test]
fn what_all_belongs_to_somebody_else_is_changed_as_a_whole() {
    let on = volume("data", "/data", dir(999, 999, 0o755)).named(
        "a/b/c/d/e",
        Some(file(999, 999, 0o600)),
        &[("a", dir(999, 999, 0o755))],
    );
    assert_eq!(
        command(&one(app().mounts(on).says(DEEP))),
        "vole chown data 1000:1000 --from 999"
    );
}

#[test]
fn several_named_paths_of_one_owner_are_one_change() {
    let on = own()
        .named("a/b/c/d/e", Some(file(0, 0, 0o600)), &[])
        .named("f", Some(file(0, 0, 0o600)), &[]);
    let case = app().mounts(on).says(DEEP).says("touch: /data/f: Permission denied");
    assert_eq!(command(&one(case)), "vole chown data 1000:1000 --from 0");
}

#[test]
fn an_entry_is_taken_away_by_who_may_write_to_its_directory() {
    let line = "rm: can't remove '/data/d/x': Permission denied";
    let on = |facts| own().named("d/x", Some(file(1000, 1000, 0o644)), &[("d", facts)]);
    let finding = one(app().mounts(on(dir(0, 0, 0o755))).says(line));
    assert_eq!(command(&finding), "vole chown data:d 1000:1000");
    none(app().mounts(on(dir(1000, 1000, 0o755))).says(line));
}

#[test]
fn an_attribute_of_a_named_file_binds_it_alone() {
    let mut facts = file(1000, 1000, 0o644);
    facts.immutable = true;
    let mut on = bind("/srv/x", "/data", dir(1000, 1000, 0o755))
        .named("f", Some(facts), &[])
        .answers_named([0, 1, 0]);
    let finding = one(app().mounts(on).says("touch: /data/f: Operation not permitted"));
    assert_eq!(command(&finding), "sudo chattr -i /srv/x/f");
    on = bind("/srv/x", "/data", dir(1000, 1000, 0o755)).named("f", Some(file(1000, 1000, 0o644)), &[]);
    none(app().mounts(on).says("touch: /data/f: Operation not permitted"));
}

#[test]
fn a_program_is_judged_by_its_own_mode_and_no_longer_than_it_is_so() {
    let error = "OCI runtime create failed: exec: \"/app/run.sh\": permission denied: unknown";
    let failed = |case: A| case.run(|run| run.error = error.to_owned()).ended(126);
    let on = |there, above: &[(&str, vole_agent::proto::probe::Facts)]| {
        volume("app", "/app", dir(1000, 1000, 0o755)).named("run.sh", Some(there), above)
    };
    let finding = one(failed(app().mounts(on(file(0, 0, 0o644), &[]))));
    assert_eq!(command(&finding), "vole chmod app:run.sh a+x");
    let evidence = finding.evidence.join("\n");
    assert!(
        evidence.contains("0:0, mode 0644") && evidence.contains("the engine says"),
        "{evidence}"
    );
    assert!(!evidence.contains("the log says"), "{evidence}");
    none(failed(app().mounts(on(file(0, 0, 0o755), &[]))));
    assert_eq!(
        one(failed(app().mounts(on(file(0, 0, 0o755), &[]).noexec()))).cause,
        Cause::Exec
    );
    let root = container("busybox").runs_as(full_root());
    assert_eq!(one(failed(root.mounts(on(file(0, 0, 0o644), &[])))).cause, Cause::Exec);
    // Of the image.
    let has = |way: &[(&str, u32, u32)]| failed(app().has("/app/run.sh", way));
    assert_eq!(
        one(has(&[("/app", 0, 0o755), ("/app/run.sh", 0, 0o644)])).confidence,
        Confidence::High
    );
    none(has(&[("/app", 0, 0o755), ("/app/run.sh", 0, 0o755)]));
    let barred = one(has(&[("/app", 0, 0o700), ("/app/run.sh", 0, 0o755)]));
    assert_eq!(
        (barred.cause, command(&barred).as_str()),
        (Cause::Traverse, "RUN chmod a+x /app")
    );
}

#[test]
fn what_was_mended_in_the_container_is_no_finding() {
    let says = || app().says("app: open /app/x: permission denied").ended(1);
    assert_eq!(one(says().has("/app/x", &[("/app", 0, 0o755)])).cause, Cause::Ownership);
    none(says().has("/app/x", &[("/app", 1000, 0o755)]));
    // An engine that tells no owners is not quoted with one.
    let unowned = one(says().has("/app/x", &[("/app", 1000, 0o755)]).without_owners());
    assert!(
        unowned.evidence.iter().any(|line| line == "/app has mode 0755"),
        "{:?}",
        unowned.evidence
    );
    none(says().has("/app/x", &[("/app", 0, 0o755), ("/app/x", 1000, 0o644)]));
    let error = "chdir to cwd (\"/srv/w\") set in config.json failed: permission denied";
    let workdir = |mode| {
        let case = app().run(|run| run.error = error.to_owned()).ended(126);
        case.has("/srv/w", &[("/srv", 0, 0o755), ("/srv/w", 0, mode)])
    };
    assert_eq!(one(workdir(0o700)).cause, Cause::Traverse);
    none(workdir(0o755));
}

#[test]
fn what_a_process_that_is_gone_was_refused_stays_unknown() {
    let on = || volume("data", "/data", dir(999, 999, 0o755)).named("f", Some(file(0, 0, 0o600)), &[]);
    let case = |on| container("busybox").runs_as(full_root()).mounts(on);
    let line = "Error: EACCES: permission denied, open '/data/f'";
    let finding = one(case(on()).says(line).ended(1));
    assert_eq!((finding.cause, finding.confidence), (Cause::Unknown, Confidence::Low));
    assert!(
        finding.evidence.iter().any(|line| line.contains("0:0, mode 0600")),
        "{:?}",
        finding.evidence
    );
    none(case(on()).says(line));
}

#[test]
fn a_change_under_remapped_users_has_the_numbers_of_the_host() {
    let case = |root: &'static str| {
        app()
            .mounts(volume("data", "/data", dir(0, 0, 0o755)))
            .says(TOUCH)
            .engine(move |about| {
                about.security.push("name=userns".to_owned());
                about.root_dir = root.to_owned();
            })
    };
    let known = "/var/lib/docker/100000.200000";
    let finding = one(case(known));
    assert_eq!(command(&finding), "vole chown data 101000:201000");
    assert!(finding.caveats[0].contains("1000:1000"), "{:?}", finding.caveats);
    let unknown = one(case("/var/lib/docker"));
    assert!(command(&unknown).contains("^dockremap:"), "{}", command(&unknown));
    let on_host = one(case(known).run(|run| run.userns_mode = "host".to_owned()));
    assert_eq!(command(&on_host), "vole chown data 1000:1000");
}

#[test]
fn a_socket_that_refuses_wants_its_group() {
    let on = bind("/var/run/docker.sock", "/var/run/docker.sock", file(0, 0, 0))
        .untried(Untried::NotTried("a socket".to_owned()));
    let line = "dial unix /var/run/docker.sock: connect: permission denied";
    let finding = one(app().mounts(on).says(line));
    assert_eq!(
        (finding.cause, command(&finding).as_str()),
        (Cause::Group, "--group-add $(stat -c %g /var/run/docker.sock)")
    );
}

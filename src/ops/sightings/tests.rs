use std::os::unix::fs::PermissionsExt as _;
use std::slice;

use time::macros::datetime;

use super::*;
use crate::core::sample;
use crate::engine::daemon::EngineEvent;
use crate::model::ContainerState::{self, Exited, Running};
use crate::model::MountKind;

const NOW: OffsetDateTime = datetime!(2024-05-01 12:00 UTC);
const DAY: Duration = Duration::days(1);

fn attachment(container: &str, state: ContainerState) -> Attachment {
    Attachment {
        container: container.to_owned(),
        container_id: format!("id-{container}"),
        state,
        image: "postgres:15".to_owned(),
        destination: "/data".to_owned(),
        rw: true,
        propagation: String::new(),
        subpath: None,
        options: Vec::new(),
        service: Some("db".to_owned()),
    }
}

fn volume(name: &str, containers: &[(&str, ContainerState)]) -> Mount {
    let attachments = containers.iter().map(|(name, state)| attachment(name, state.clone()));
    Mount {
        created: Some(NOW - DAY),
        attachments: attachments.collect(),
        ..Mount::sample(name)
    }
}

fn list(mounts: &[Mount]) -> Inventory {
    Inventory::clone(&sample::inventory(mounts.to_vec()))
}

fn note(sightings: &mut Sightings, mount: &Mount, now: OffsetDateTime) {
    sightings.note(&list(slice::from_ref(mount)), &Heard::default(), now);
}

fn words(sightings: &Sightings, mount: &Mount, now: OffsetDateTime) -> String {
    let last = sightings.last(mount);
    last.map_or_else(|| "nothing".to_owned(), |last| last.words(now))
}

fn container(id: &str, action: &str, name: &str) -> EngineEvent {
    EngineEvent::Container {
        id: id.to_owned(),
        action: action.to_owned(),
        name: Some(name.to_owned()),
        image: Some("busybox".to_owned()),
    }
}

fn volume_event(name: &str, action: &str, container: Option<&str>) -> EngineEvent {
    EngineEvent::Volume {
        name: name.to_owned(),
        action: action.to_owned(),
        container: container.map(str::to_owned),
    }
}

#[test]
fn who_ran_last_outlives_its_container_and_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let (used, bare) = (
        volume("a", &[("beta", Running), ("alpha", Exited), ("gamma", Running)]),
        volume("a", &[]),
    );
    note(&mut sightings, &used, NOW);
    sightings.save().unwrap();
    let file = dir.path().join(FILE);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut sightings = Sightings::at(dir.path());
    let told = "used by beta (postgres:15, service db) 3d ago";
    assert_eq!(
        words(&sightings, &bare, NOW + DAY * 3),
        told,
        "a live one, the first by name"
    );
    // Its own container is seen stopped: that is no later use.
    note(&mut sightings, &volume("a", &[("beta", Exited)]), NOW + DAY);
    assert_eq!(words(&sightings, &bare, NOW + DAY * 3), told);
    // Another one that never ran is told beside it.
    note(
        &mut sightings,
        &volume("a", &[("other", ContainerState::Created)]),
        NOW + DAY * 2,
    );
    assert_eq!(
        words(&sightings, &bare, NOW + DAY * 3),
        "used by beta (postgres:15, service db) 3d ago, and attached to stopped container other (postgres:15, service db) 24h ago"
    );
    let both = sightings.clone();
    note(
        &mut sightings,
        &volume("a", &[("beta", Exited), ("other", Exited)]),
        NOW + DAY * 2,
    );
    assert_eq!(sightings.last(&bare), both.last(&bare), "each has its place");
    note(&mut sightings, &used, NOW + DAY * 3);
    assert!(words(&sightings, &bare, NOW + DAY * 3).ends_with("db) just now"));
}

#[test]
fn a_volume_made_anew_inherits_nothing_and_one_that_is_gone_is_forgotten_when_that_is_sure() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let old = volume("a", &[("one", Exited)]);
    note(&mut sightings, &old, NOW);
    sightings.save().unwrap();
    let was = "was attached to stopped container one (postgres:15, service db) just now";
    assert_eq!(words(&sightings, &old, NOW), was);
    let anew = Mount {
        created: Some(NOW),
        ..volume("a", &[])
    };
    assert_eq!(words(&sightings, &anew, NOW), "nothing");
    // The engine did not list the volume this time.
    note(
        &mut sightings,
        &Mount {
            created: None,
            ..volume("a", &[("two", Running)])
        },
        NOW,
    );
    assert_eq!(words(&sightings, &old, NOW), was);

    let unsure = Inventory {
        warnings: vec!["?".to_owned()],
        ..list(&[])
    };
    sightings.prune(&unsure, NOW + DAY * 399);
    assert_eq!(
        words(&sightings, &old, NOW),
        was,
        "an incomplete list proves nothing gone"
    );
    let mut aged = sightings.clone();
    aged.prune(&list(slice::from_ref(&old)), NOW + DAY * 999);
    assert_eq!(words(&aged, &old, NOW), was, "what is there is never too old");
    aged.prune(&unsure, NOW + DAY * 401);
    assert_eq!(words(&aged, &old, NOW), "nothing");
    sightings.prune(&list(&[anew]), NOW);
    assert!(sightings.changed());
    sightings.save().unwrap();
    assert_eq!(words(&Sightings::at(dir.path()), &old, NOW), "nothing");
}

#[test]
fn two_at_once_keep_the_newer_of_each_volume() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| volume(name, &[("late", Running)]));
    let earlier = |mount: &Mount| Mount {
        attachments: vec![attachment("early", Running)],
        ..mount.clone()
    };
    let mut first = Sightings::at(dir.path());
    note(&mut first, &d, NOW - DAY);
    first.save().unwrap();
    let mut second = Sightings::at(dir.path());
    for (mount, at) in [(&a, NOW), (&earlier(&b), NOW - DAY)] {
        note(&mut first, mount, at);
    }
    for (mount, at) in [(&earlier(&a), NOW - DAY), (&b, NOW), (&c, NOW), (&d, NOW)] {
        note(&mut second, mount, at);
    }
    // The one has not heard that `d` is back in use; what the other saw since counts.
    first.prune(&list(&[a.clone(), b.clone()]), NOW);
    second.save().unwrap();
    first.save().unwrap();
    let both = Sightings::at(dir.path());
    for (mount, sightings) in [&a, &b, &c, &d]
        .into_iter()
        .flat_map(|mount| [(mount, &both), (mount, &first)])
    {
        let told = words(sightings, mount, NOW);
        assert_eq!(
            told, "used by late (postgres:15, service db) just now",
            "{}",
            mount.name
        );
    }
}

#[test]
fn the_same_again_is_no_news_for_some_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let mount = volume("a", &[("one", Running)]);
    note(&mut sightings, &mount, NOW);
    sightings.save().unwrap();
    for (minutes, changed) in [(1, false), (10, false), (11, true)] {
        note(&mut sightings, &mount, NOW + Duration::minutes(minutes));
        assert_eq!(sightings.changed(), changed, "after {minutes} minutes");
    }
    sightings.save().unwrap();
    note(
        &mut sightings,
        &volume("a", &[("two", Running)]),
        NOW + Duration::minutes(12),
    );
    assert!(sightings.changed(), "another container is news at once");
}

#[test]
fn damaged_foreign_huge_and_impossible_files_tell_nothing_and_a_refusing_disk_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let mount = volume("a", &[("one", Running)]);
    let ahead = OffsetDateTime::now_utc() + DAY * 30;
    let mut wrong_clock = Sightings::at(dir.path());
    note(&mut wrong_clock, &mount, ahead);
    wrong_clock.save().unwrap();
    assert_eq!(
        words(&Sightings::at(dir.path()), &mount, NOW),
        "nothing",
        "a time that has not come"
    );
    for garbage in [
        "",
        "{",
        "[1]",
        r#"{"version":9,"volumes":[]}"#,
        r#"{"version":1,"volumes":[{"id":7}]}"#,
    ] {
        fs::write(&file, garbage).unwrap();
        assert_eq!(words(&Sightings::at(dir.path()), &mount, NOW), "nothing", "{garbage}");
    }
    let mut good = Sightings::at(dir.path());
    note(&mut good, &mount, NOW);
    good.save().unwrap();
    assert_ne!(words(&Sightings::at(dir.path()), &mount, NOW), "nothing");
    File::options()
        .append(true)
        .open(&file)
        .unwrap()
        .set_len(LARGEST + 1)
        .unwrap();
    assert_eq!(
        words(&Sightings::at(dir.path()), &mount, NOW),
        "nothing",
        "too large to be ours"
    );

    let mut refused = Sightings::at(Path::new("/proc/nowhere"));
    note(&mut refused, &mount, NOW);
    let error = refused.save().unwrap_err().to_string();
    assert!(error.contains("/proc/nowhere") && refused.changed(), "{error}");
    let mut demo = Sightings::default();
    note(&mut demo, &mount, NOW);
    assert_eq!((words(&demo, &mount, NOW).as_str(), demo.changed()), ("nothing", false));
}

#[test]
fn the_oldest_go_when_there_are_too_many_or_they_are_too_large() {
    let row = |at: u64, text: &str| Row {
        id: MountId::new(format!("volume:{at}{text}")),
        created: None,
        seen: Sighting {
            used: None,
            attached: Some(Use::of(
                &Mount::sample("x"),
                &attachment("x", Exited),
                NOW + Duration::seconds(at as i64),
            )),
        },
    };
    let oldest = |rows: &[Row]| rows.iter().filter_map(|row| row.seen.newest()).min().unwrap();
    let (_, rows) = encoded((0..MOST as u64 + 5).map(|at| row(at, "")).collect()).unwrap();
    assert_eq!((rows.len(), oldest(&rows)), (MOST, NOW + Duration::seconds(5)));
    let name = "n".repeat(1 << 20);
    let (text, rows) = encoded((0..20).map(|at| row(at, &name)).collect()).unwrap();
    assert!(text.len() as u64 <= LARGEST);
    assert_eq!((rows.len(), oldest(&rows)), (15, NOW + Duration::seconds(5)));
}

/// `docker run --rm` leaves a volume and no container that any list shows.
#[test]
fn containers_that_come_and_go_between_two_lists_are_heard() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let (mount, fresh) = (volume("a", &[("stopped", Exited)]), volume("new", &[]));
    let mut heard = Heard::default();
    // A batch has no order: the mount may stand before what names its container.
    heard.hear(
        &[
            volume_event("a", "mount", Some("c1")),
            volume_event("new", "mount", Some("c1")),
            volume_event("a", "mount", Some("nobody-named-it")),
            volume_event("a", "create", None),
            container("c1", "create", "quirky_kare"),
        ],
        NOW,
    );
    let old_list = list(slice::from_ref(&mount));
    sightings.note(&old_list, &heard, NOW + Duration::seconds(1));
    heard.settle(&old_list);
    assert_eq!(
        words(&sightings, &mount, NOW + DAY),
        "used by quirky_kare (busybox) 24h ago"
    );
    // The volume that this list did not show yet waits for the next.
    sightings.note(
        &list(&[mount.clone(), fresh.clone()]),
        &heard,
        NOW + Duration::seconds(2),
    );
    assert_eq!(
        words(&sightings, &fresh, NOW + DAY),
        "used by quirky_kare (busybox) 24h ago"
    );

    let mut remade = Heard::default();
    remade.hear(
        &[container("c2", "create", "x"), volume_event("new", "mount", Some("c2"))],
        NOW + DAY,
    );
    remade.hear(&[volume_event("new", "destroy", None)], NOW + DAY);
    remade.hear(&[volume_event("a", "unmount", Some("c2"))], NOW + DAY);
    remade.lost();
    sightings.note(&list(slice::from_ref(&fresh)), &remade, NOW + DAY);
    assert!(
        words(&sightings, &fresh, NOW + DAY).ends_with("24h ago"),
        "that was another volume"
    );
}

/// Podman's volume events name no container; a container's own events still tell when it ran.
#[test]
fn a_container_that_was_heard_to_run_used_its_volumes_until_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let (mount, bare) = (volume("a", &[("web", Exited)]), volume("a", &[]));
    let mut heard = Heard::default();
    heard.hear(&[container("id-web", "died", "web")], NOW);
    sightings.note(&list(slice::from_ref(&mount)), &heard, NOW + Duration::minutes(1));
    let told = "used by web (postgres:15, service db) 24h ago";
    assert_eq!(words(&sightings, &mount, NOW + DAY), told);
    // It ran for days without a list, and is gone at the end.
    heard.hear(&[container("id-web", "died", "web")], NOW + DAY * 3);
    sightings.note(&list(slice::from_ref(&bare)), &heard, NOW + DAY * 3);
    assert_eq!(words(&sightings, &bare, NOW + DAY * 4), told);
    // An event tells less of it than a list did.
    heard.hear(&[volume_event("a", "unmount", Some("id-web"))], NOW + DAY * 6);
    sightings.note(&list(slice::from_ref(&bare)), &heard, NOW + DAY * 6);
    assert_eq!(words(&sightings, &bare, NOW + DAY * 7), told);
    let last = sightings.last(&bare).unwrap().used.clone().unwrap();
    assert_eq!((last.destination.as_deref(), last.rw), (Some("/data"), Some(true)));
}

/// Podman may tell that a container ran when the list of its removal has been answered already.
#[test]
fn a_container_that_a_list_showed_and_that_is_heard_of_late_used_its_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let shown = volume("a", &[("anchor", Exited), ("visitor", Exited)]);
    let bare = volume("a", &[]);
    let mut heard = Heard::default();
    let listed = |sightings: &mut Sightings, heard: &mut Heard, mount: &Mount, at| {
        let list = list(slice::from_ref(mount));
        sightings.note(&list, heard, at);
        heard.settle(&list);
    };
    listed(&mut sightings, &mut heard, &shown, NOW);
    listed(&mut sightings, &mut heard, &bare, NOW);
    heard.hear(&[container("id-visitor", "died", "visitor")], NOW);
    listed(&mut sightings, &mut heard, &bare, NOW + Duration::minutes(1));
    let told = "used by visitor (postgres:15, service db) 24h ago";
    assert_eq!(words(&sightings, &bare, NOW + DAY), told);
    // What was heard once does not come back over a later use.
    listed(
        &mut sightings,
        &mut heard,
        &volume("a", &[("later", Running)]),
        NOW + DAY,
    );
    listed(&mut sightings, &mut heard, &bare, NOW + DAY * 2);
    let told = "used by later (postgres:15, service db) 24h ago";
    assert_eq!(words(&sightings, &bare, NOW + DAY * 2), told);
    // Another volume under its name was not what it used.
    let anew = Mount {
        created: Some(NOW + DAY * 2),
        ..bare
    };
    heard.hear(&[container("id-anchor", "died", "anchor")], NOW + DAY * 3);
    listed(&mut sightings, &mut heard, &anew, NOW + DAY * 3);
    assert_eq!(words(&sightings, &anew, NOW + DAY * 3), "nothing");
}

/// Another process saw it, and wrote that down.
#[test]
fn a_container_that_was_known_as_attached_and_is_heard_of_used_its_volume() {
    let dir = tempfile::tempdir().unwrap();
    let mut sightings = Sightings::at(dir.path());
    note(&mut sightings, &volume("a", &[("visitor", Exited)]), NOW);
    sightings.save().unwrap();
    let mut sightings = Sightings::at(dir.path());
    let bare = volume("a", &[]);
    let mut heard = Heard::default();
    heard.hear(&[container("id-visitor", "died", "visitor")], NOW);
    sightings.note(&list(slice::from_ref(&bare)), &heard, NOW + Duration::minutes(1));
    let told = "used by visitor (postgres:15, service db) 24h ago";
    assert_eq!(words(&sightings, &bare, NOW + DAY), told);
}

#[test]
fn hostile_names_come_back_as_they_were_and_long_ones_cut() {
    let dir = tempfile::tempdir().unwrap();
    let mut mount = volume("\u{1b}]0;x\u{7}", &[("\u{202e}\"\n\\", Running)]);
    mount.attachments[0].image = format!("registry/x@sha256:{}", "0123456789abcdef".repeat(4));
    mount.attachments[0].service = Some("é".repeat(5000));
    let bind = Mount {
        kind: MountKind::Bind,
        ..volume("/etc", &[("x", Running)])
    };
    let mut sightings = Sightings::at(dir.path());
    sightings.note(&list(&[mount.clone(), bind.clone()]), &Heard::default(), NOW);
    sightings.save().unwrap();
    let back = Sightings::at(dir.path());
    assert_eq!(back.last(&mount), sightings.last(&mount));
    let service = "é".repeat(TEXT);
    let told = format!("used by \u{202e}\"\n\\ (registry/x@sha256:0123456789ab, service {service}) just now");
    assert_eq!(words(&back, &mount, NOW), told);
    assert_eq!(back.last(&bind), None, "volumes only");
}

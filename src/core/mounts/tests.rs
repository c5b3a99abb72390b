use time::Duration;

use super::*;
use crate::core::sample::{NOW, inventory, measured, news, volume};
use crate::model::{CLASS_LABEL, Contents, Fingerprint, Orphan, Worth};

fn table(names: &[&str]) -> Mounts {
    let mut table = Mounts::new(
        Order {
            group: false,
            ..Order::default()
        },
        Arc::default(),
    );
    table.set_height(5);
    table.set_inventory(inventory(names.iter().map(|name| volume(name)).collect()), NOW);
    table
}

fn shown(table: &Mounts) -> Vec<String> {
    let name = |row: &Row| match row {
        Row::Mount(place) => table
            .entry(*place)
            .map_or_else(String::new, |(mount, _)| mount.name.clone()),
        Row::Group { project, mounts, .. } => format!("[{} {mounts}]", project.as_deref().unwrap_or("-")),
    };
    table.rows().iter().map(name).collect()
}

fn under_cursor(table: &Mounts) -> &str {
    table.current().map_or("", |(mount, _)| &mount.name)
}

#[test]
fn sizes_sort_largest_first_and_what_is_unknown_last_in_either_direction() {
    let mut table = table(&["a", "b", "c", "d"]);
    table.set_sizes(vec![news("b", 10), news("c", 500)], NOW + Duration::seconds(2));
    assert_eq!(shown(&table), ["c", "b", "a", "d"]);
    table.set_order(
        Order {
            reverse: true,
            ..table.order()
        },
        NOW,
    );
    assert_eq!(shown(&table), ["b", "c", "a", "d"]);
}

#[test]
fn rows_change_places_at_most_once_a_second_while_sizes_stream() {
    let mut table = table(&["a", "b"]);
    let at = |millis| NOW + Duration::milliseconds(millis);
    table.set_sizes(vec![news("b", 10)], at(1500));
    assert_eq!(shown(&table), ["b", "a"]);
    table.set_sizes(vec![news("a", 99)], at(1600));
    assert_eq!(shown(&table), ["b", "a"], "the number is new, the places are not yet");
    assert_eq!(table.totals().all.bytes, 109);
    table.settle(None, at(1700));
    assert_eq!(shown(&table), ["a", "b"], "at the end everything has its place");
}

#[test]
fn the_cursor_stays_on_its_mount_and_on_its_line_once_it_was_moved() {
    let names: Vec<String> = (0..20).map(|n| format!("v{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut untouched = table(&names);
    untouched.set_sizes(vec![news("v19", 10)], NOW + Duration::seconds(2));
    assert_eq!(
        (under_cursor(&untouched), untouched.top()),
        ("v19", 0),
        "untouched it stays at the start"
    );
    let mut table = table(&names);
    table.step(8);
    let line = table.at() - table.top();
    table.set_sizes(vec![news("v19", 10), news("v18", 9)], NOW + Duration::seconds(2));
    assert_eq!(under_cursor(&table), "v08");
    assert_eq!(
        table.at() - table.top(),
        line,
        "what moved above did not push it down the screen"
    );
}

#[test]
fn when_its_mount_goes_the_cursor_takes_the_nearest_row() {
    let mut table = table(&["a", "b", "c"]);
    table.step(1);
    table.set_inventory(inventory(vec![volume("a"), volume("c")]), NOW);
    assert_eq!(under_cursor(&table), "c");
    table.set_inventory(inventory(Vec::new()), NOW);
    assert_eq!(under_cursor(&table), "");
    assert!(!table.step(1) && !table.mark() && !table.edge(true));
}

#[test]
fn a_volume_made_anew_under_its_old_name_has_no_size() {
    let mut table = table(&["a", "b"]);
    table.set_sizes(vec![news("a", 1), news("b", 2)], NOW);
    let mut again = volume("a");
    again.created = Some(NOW);
    table.set_inventory(inventory(vec![again, volume("b")]), NOW);
    let sizes: Vec<Option<u64>> = table.entries().map(|(_, size)| size.known_bytes()).collect();
    assert_eq!(sizes, [None, Some(2)]);
}

#[test]
fn what_was_known_stays_known_while_and_after_it_is_measured_again() {
    let mut table = table(&["a"]);
    table.set_cached(vec![(MountId::new("volume:a"), measured(100))], NOW);
    let so_far = crate::model::size::Totals {
        bytes: 7,
        files: 1,
        ..Default::default()
    };
    table.set_sizes(
        vec![(MountId::new("volume:a"), Size::Measuring { so_far, before: None })],
        NOW,
    );
    assert_eq!(table.current().unwrap().1.known_bytes(), Some(100));
    table.settle(Some("cancelled"), NOW);
    assert_eq!(table.current().unwrap().1, &Size::Measured(measured(100)));
}

#[test]
fn an_unknown_size_is_never_a_sum_of_nothing() {
    let mut table = table(&["a", "b"]);
    table.set_sizes(vec![news("a", 5)], NOW);
    let orphans = table.totals().orphans;
    assert_eq!((orphans.mounts, orphans.bytes, orphans.unknown), (2, 5, 1));
}

#[test]
fn groups_stand_by_their_sums_and_the_cursor_skips_their_headers() {
    let mut mounts: Vec<Mount> = ["a", "b", "c"].iter().map(|name| volume(name)).collect();
    mounts[0].project = Some("shop".to_owned());
    mounts[1].project = Some("blog".to_owned());
    let mut table = Mounts::new(Order::default(), Arc::default());
    table.set_height(10);
    table.set_inventory(inventory(mounts), NOW);
    table.set_sizes(
        vec![news("a", 1), news("b", 50), news("c", 7)],
        NOW + Duration::seconds(2),
    );
    assert_eq!(shown(&table), ["[blog 1]", "b", "[- 1]", "c", "[shop 1]", "a"]);
    assert_eq!(under_cursor(&table), "b");
    table.step(1);
    assert_eq!(under_cursor(&table), "c");
    table.edge(true);
    assert_eq!((under_cursor(&table), table.at()), ("a", 5));
}

#[test]
fn filters_combine_and_the_fuzzy_one_finds_projects_and_containers() {
    let mut mounts: Vec<Mount> = ["alpha", "beta", "gamma"].iter().map(|name| volume(name)).collect();
    mounts[1].project = Some("shop".to_owned());
    mounts[2].orphan = Orphan::Unknown;
    let mut table = Mounts::new(
        Order {
            group: false,
            ..Order::default()
        },
        Arc::default(),
    );
    table.set_inventory(inventory(mounts), NOW);
    table.set_quick(
        Quick {
            orphans: true,
            ..Quick::default()
        },
        NOW,
    );
    assert_eq!(shown(&table), ["alpha", "beta"], "unknown is not an orphan");
    table.filter.paste("shp");
    table.arrange(NOW);
    assert_eq!((shown(&table), table.counts()), (vec!["beta".to_owned()], (1, 3)));
}

#[test]
fn a_range_of_marks_follows_the_cursor_and_can_be_dropped() {
    let mut table = table(&["a", "b", "c", "d"]);
    table.mark();
    table.mark_range();
    table.step(2);
    assert_eq!(table.totals().marked.mounts, 4);
    table.drop_range();
    assert_eq!(table.totals().marked.mounts, 1);
    table.mark_range();
    table.step(-1);
    table.mark_range();
    assert_eq!(table.all_marks().len(), 3);
    table.set_inventory(inventory(vec![volume("a")]), NOW);
    assert_eq!(
        table.totals().marked.mounts,
        1,
        "marks of mounts that are gone are gone"
    );
}

#[test]
fn a_class_is_shown_alone_and_unknown_is_none_of_them() {
    let mut mounts: Vec<Mount> = ["db", "cache", "odd", "unseen"]
        .iter()
        .map(|name| volume(name))
        .collect();
    mounts.push(Mount {
        labels: Arc::new([(CLASS_LABEL, "important")].into_iter().collect()),
        ..volume("said")
    });
    let mut table = table(&[]);
    table.set_inventory(inventory(mounts), NOW);
    let look = |kind: &str, worth| Fingerprint {
        kind: kind.to_owned(),
        version: None,
        worth,
        evidence: Vec::new(),
    };
    let told = |name: &str, looks: Vec<Fingerprint>, stray| {
        let contents = Some(Contents {
            looks,
            stray,
            files: 9,
            incomplete: None,
        });
        let size = Size::Measured(Measured {
            contents,
            ..measured(1)
        });
        (MountId::new(format!("volume:{name}")), size)
    };
    let news = vec![
        told("db", vec![look("PostgreSQL", Worth::Critical)], 9),
        told("cache", vec![look("JS deps", Worth::Disposable)], 0),
        told("odd", vec![look("JS deps", Worth::Disposable)], 1),
    ];
    table.set_sizes(news, NOW + Duration::seconds(2));
    let mut seen = Vec::new();
    for _ in 0..5 {
        let quick = table.quick();
        let class = quick.class.next();
        table.set_quick(Quick { class, ..quick }, NOW);
        let mut names = shown(&table);
        names.sort();
        seen.push((class.word(), names.join(" ")));
    }
    let expected = [
        (Some("critical"), "db"),
        (Some("important"), "said"),
        (Some("temporary"), "cache"),
        (Some("class unknown"), "odd unseen"),
        (None, "cache db odd said unseen"),
    ];
    assert_eq!(seen, expected.map(|(word, names)| (word, names.to_owned())));
}

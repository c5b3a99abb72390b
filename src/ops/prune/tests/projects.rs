//! Projects without containers, renamed projects, stacks.

use super::*;

pub(super) const SHOP: &[(&str, &str)] = &[
    ("com.docker.compose.project", "shop"),
    ("com.docker.compose.volume", "dbdata"),
];
const STORE: &[(&str, &str)] = &[
    ("com.docker.compose.project", "store"),
    ("com.docker.compose.volume", "dbdata"),
];

#[test]
fn a_project_without_containers_keeps_its_volumes() {
    let row = Case::new()
        .with(labelled(named("shop_dbdata"), SHOP), Some(contents(1, 1, &[])))
        .row();
    assert_eq!((row.group, row.hint.clone()), (Group::Keep, None));
    assert!(
        row.reason.contains("project shop has no live container"),
        "{}",
        row.reason
    );
    let case = || Case::new().with(labelled(anonymous(), SHOP), Some(empty()));
    assert_eq!(case().row().group, Group::Ask, "nothing is lost, but it is asked about");
    assert_eq!(case().live("shop").row().group, Group::Safe);
}

#[test]
fn a_volume_of_a_stack_may_be_waited_for_on_another_node() {
    let stack = Mount {
        project: Some("shop".to_owned()),
        ..labelled(named("shop_data"), &[("com.docker.stack.namespace", "shop")])
    };
    let row = Case::new().with(stack, Some(contents(1, 1, &[]))).live("shop").row();
    assert_eq!(row.group, Group::Keep);
    assert!(row.reason.contains("another node"), "{}", row.reason);
}

#[test]
fn a_renamed_project_is_to_be_attached_again() {
    let old = labelled(named("shop_dbdata"), SHOP);
    let new = used(labelled(named("store_dbdata"), STORE), "store-db-1");
    let renamed = |contents: Contents| {
        let case = Case::new()
            .with(old.clone(), Some(postgres()))
            .with(new.clone(), Some(contents));
        let plan = case.live("store").plan();
        plan.row(&VolumeName::new("shop_dbdata")).cloned().unwrap()
    };
    let row = renamed(postgres());
    assert_eq!(row.group, Group::Keep);
    assert!(row.reason.contains("shop lives on as store"), "{}", row.reason);
    assert!(row.reason.contains("looks like PostgreSQL too"), "{}", row.reason);
    let hint = "volumes: { dbdata: { external: true, name: shop_dbdata } }";
    assert_eq!(row.hint.as_deref(), Some(hint));
    assert!(renamed(empty()).hint.is_some(), "the new one waits for data");
    let other = renamed(contents(5, 5, &[("MongoDB", Worth::Critical)]));
    assert_eq!(other.hint, None, "the new one holds something else");
    assert_eq!(other.group, Group::Keep);
}

#[test]
fn of_two_projects_that_may_be_the_new_one_the_name_decides() {
    let of = |project: &'static str| {
        let labels = [
            ("com.docker.compose.project", project),
            ("com.docker.compose.volume", "dbdata"),
        ];
        labelled(named(&format!("{project}_dbdata")), &labels)
    };
    let case = Case::new()
        .with(of("shop_old"), Some(postgres()))
        .with(used(of("shop"), "a"), Some(postgres()))
        .with(used(of("store"), "b"), Some(postgres()));
    let plan = case.live("store").live("shop").plan();
    let row = plan.row(&VolumeName::new("shop_old_dbdata")).unwrap();
    assert!(row.reason.contains("shop_old lives on as shop:"), "{}", row.reason);
}

#[test]
fn a_name_in_a_compose_line_is_quoted_where_yaml_needs_it() {
    let labels = [
        ("com.docker.compose.project", "shop"),
        ("com.docker.compose.volume", "on"),
    ];
    let twin = [
        ("com.docker.compose.project", "store"),
        ("com.docker.compose.volume", "on"),
    ];
    let case = Case::new()
        .with(labelled(named("0shop_on"), &labels), Some(empty()))
        .with(used(labelled(named("store_on"), &twin), "c"), Some(empty()));
    let plan = case.live("store").plan();
    let hint = plan.row(&VolumeName::new("0shop_on")).unwrap().hint.clone();
    assert_eq!(
        hint.as_deref(),
        Some(r#"volumes: { "on": { external: true, name: "0shop_on" } }"#)
    );
}

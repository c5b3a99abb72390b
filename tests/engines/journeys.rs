//! Whole journeys of a person at a terminal, with the real program on a pseudo-terminal.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use vole_test_support::{Family, Home, IMAGE, PATIENCE, Pty, until};

use crate::world::{World, on_engines, vole};

on_engines! {
    from_the_list_into_a_file_and_back
    what_happens_on_the_engine_shows_by_itself
    who_used_a_volume_last_is_told_when_its_container_is_gone
    a_storm_of_resizes_is_survived
    a_signal_restores_the_terminal
}

fn start(world: &World, home: &Home, columns: u16, rows: u16) -> Pty {
    let pty = Pty::start(home, &world.vole().line(&[]), columns, rows);
    pty.wait_for("shop_uploads", PATIENCE);
    pty
}

fn quit(mut pty: Pty) {
    pty.keys("<ctrl-c>");
    let status = pty.wait_exit(PATIENCE);
    assert_eq!(status.exit_code(), 0, "{status:?}\n{}", pty.text());
    assert!(pty.is_restored(), "the terminal is as it was");
}

fn from_the_list_into_a_file_and_back(world: &mut World) {
    for (columns, rows) in [(80, 24), (120, 40)] {
        let home = Home::new();
        let mut pty = start(world, &home, columns, rows);
        pty.keys("/dbdata<enter>");
        pty.wait_gone("shop_uploads", PATIENCE);
        pty.wait_for("dbdata", PATIENCE);
        pty.keys("<enter>");
        pty.wait_for("base", PATIENCE);
        pty.wait_for("wal", PATIENCE);
        // Into the directory, to its first file, and into that file.
        pty.keys("g<enter>");
        pty.wait_for("101", PATIENCE);
        pty.keys("j<enter>");
        pty.wait_for("row1", PATIENCE);
        pty.keys("<esc>");
        pty.wait_for("base", PATIENCE);
        // Two that are read at once, on a busy machine, count as one. Which rows of the list fit is a matter of sizes.
        let listed = |text: &str| text.contains("shop_uploads") || text.contains("growing_vol");
        until("the list is back", PATIENCE, || {
            if listed(&pty.text()) {
                return Some(());
            }
            pty.keys("<esc>");
            pty.settle(Duration::from_millis(150), PATIENCE);
            None
        });
        quit(pty);
    }
}

fn what_happens_on_the_engine_shows_by_itself(world: &mut World) {
    let home = Home::new();
    let mut pty = start(world, &home, 120, 40);
    pty.keys("/appears<enter>");
    pty.wait_gone("shop_uploads", PATIENCE);
    world.engine.run(["volume", "create", "appears_now"]);
    pty.wait_for("appears_now", PATIENCE);
    world.engine.run(["volume", "rm", "appears_now"]);
    pty.wait_gone("appears_now", PATIENCE);
    quit(pty);
}

fn who_used_a_volume_last_is_told_when_its_container_is_gone(world: &mut World) {
    let (home, engine) = (Home::new(), &world.engine);
    let run = |how: &[&str], volume: &str, program: &[&str]| {
        let mount = format!("{volume}:/d");
        let common = ["run", "--network", "none", "-v", &mount];
        engine.run([&common, how, &[IMAGE], program].concat());
    };
    // Seen by a list of another process.
    run(&["-d", "--name", "guest"], "sighted_listed", &["sleep", "1000000"]);
    assert_eq!(world.vole().run_in(&home, &["ls"]).code(), 0);
    engine.run(["rm", "-f", "guest"]);
    engine.run(["volume", "create", "sighted_heard"]);
    let mut pty = start(world, &home, 120, 40);
    pty.keys("/sighted_listed<enter>i");
    pty.wait_for("last use   used by guest (", PATIENCE);
    pty.keys("/<ctrl-u>sighted_heard<enter>");
    pty.wait_for("last use   not known", PATIENCE);
    match engine.family() {
        // Come and gone between two lists.
        Family::Docker => run(&["--rm", "--name", "visitor"], "sighted_heard", &["true"]),
        // Podman's events do not say whose a volume is: the container has to be there when they are heard.
        Family::Podman => {
            run(&["--name", "visitor"], "sighted_heard", &["true"]);
            pty.wait_for("visitor", PATIENCE);
            engine.run(["rm", "visitor"]);
        }
    }
    pty.wait_for("last use   used by visitor (", PATIENCE);
    quit(pty);
    // Written at the end at the latest.
    let mut pty = start(world, &home, 120, 40);
    pty.keys("/sighted_heard<enter>i");
    pty.wait_for("last use   used by visitor (", PATIENCE);
    quit(pty);
    engine.run(["volume", "rm", "sighted_listed", "sighted_heard"]);
}

fn a_storm_of_resizes_is_survived(world: &mut World) {
    let home = Home::new();
    let mut pty = start(world, &home, 80, 24);
    for keys in ["", "?", "<esc>i", "<esc>:", "<esc>w", "<esc><enter>"] {
        pty.keys(keys);
        for size in [
            (1, 1),
            (120, 40),
            (20, 5),
            (79, 23),
            (2, 60),
            (200, 3),
            (500, 200),
            (0, 0),
            (80, 24),
        ] {
            pty.resize(size.0, size.1);
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    pty.keys("<esc><esc><esc>");
    pty.resize(110, 35);
    pty.wait_for("vole", PATIENCE);
    quit(pty);
}

fn a_signal_restores_the_terminal(world: &mut World) {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let home = Home::new();
        let mut pty = start(world, &home, 80, 24);
        pty.signal(signal);
        pty.wait_exit(Duration::from_secs(5));
        assert!(pty.is_restored(), "after {signal:?}");
    }
}

#[test]
fn without_an_engine_the_start_screen_says_what_was_tried_and_offers_the_demo() {
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on("unix:///tmp/vole-t-no-such.sock").line(&[]), 80, 24);
    pty.wait_for("/tmp/vole-t-no-such.sock", PATIENCE);
    pty.wait_for("demo", PATIENCE);
    pty.keys("<enter>");
    pty.wait_for("shop", PATIENCE);
    quit(pty);
}

#[test]
fn the_demo_shows_mounts_help_palette_and_jobs() {
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().line(&["--demo"]), 80, 24);
    pty.wait_for("shop", PATIENCE);
    pty.keys("?");
    pty.wait_for("keys that work here now", PATIENCE);
    pty.keys("<esc>");
    pty.wait_gone("keys that work here now", PATIENCE);
    pty.keys(":orphans");
    pty.wait_for("Shows orphans only", PATIENCE);
    pty.keys("<esc>");
    pty.wait_gone("Shows orphans only", PATIENCE);
    pty.keys("w");
    pty.settle(Duration::from_millis(200), PATIENCE);
    quit(pty);
}

#[test]
fn the_first_screen_does_not_wait_for_anything() {
    let home = Home::new();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let mut pty = Pty::start(&home, &vole().line(&["--demo"]), 80, 24);
        pty.wait_until("a first screen", PATIENCE, |screen| {
            !screen.contents().trim().is_empty()
        });
        best = best.min(pty.started.elapsed());
        pty.keys("q");
        pty.wait_exit(PATIENCE);
    }
    // The promise is 50 ms of a release build; this is a debug build on a machine that runs other tests.
    assert!(best < Duration::from_millis(500), "{best:?}");
}

#[test]
fn suspended_and_brought_back_it_draws_itself_anew() {
    let home = Home::new();
    let shell = ["bash", "--norc", "--noprofile", "-i"].map(str::to_owned);
    let mut pty = Pty::start_with(&home, &shell, 80, 24, &[("PS1", "shell> ")]);
    pty.wait_for("shell>", PATIENCE);
    pty.keys(&format!("{} --demo<enter>", vole().bin().display()));
    pty.wait_for("shop", PATIENCE);
    pty.keys("<ctrl-z>");
    pty.wait_until("the shell is back on its own screen", PATIENCE, |screen| {
        !screen.alternate_screen() && screen.contents().contains("Stopped")
    });
    assert!(!pty.screen().hide_cursor());
    pty.keys("echo $((40+2))<enter>");
    pty.wait_for("42", PATIENCE);
    pty.keys("fg<enter>");
    pty.wait_until("vole is back", PATIENCE, |screen| {
        screen.alternate_screen() && screen.contents().contains("shop")
    });
    pty.keys("q");
    pty.wait_until("the shell again", PATIENCE, |screen| {
        !screen.alternate_screen() && screen.contents().trim_end().ends_with("shell>")
    });
    pty.keys("exit<enter>");
    pty.wait_exit(PATIENCE);
}

#[test]
fn keys_typed_faster_than_the_screen_can_follow_are_all_obeyed() {
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().line(&["--demo"]), 80, 24);
    pty.wait_for("shop", PATIENCE);
    let start = Instant::now();
    for _ in 0..300 {
        pty.keys("jk<down><up>");
    }
    pty.keys("?");
    pty.wait_for("keys that work here now", Duration::from_secs(10));
    assert!(start.elapsed() < Duration::from_secs(10));
    quit(pty);
}

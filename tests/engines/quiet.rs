//! Idle costs nothing: no byte to the terminal, no time of the processor, no question to the engine.

use std::time::Duration;

use vole_test_support::{FakeEngine, FakeFleet, Home, PATIENCE, Pty};

use crate::world::vole;

/// How long nothing may happen; `cargo run -p xtask -- heavy` waits a minute.
const IDLE: Duration = Duration::from_secs(20);

fn idles(pty: &Pty, what: &str) {
    pty.settle(Duration::from_secs(3), PATIENCE);
    let (sent, cpu) = (pty.sent(), pty.cpu_times());
    std::thread::sleep(IDLE);
    assert_eq!(pty.sent() - sent, 0, "{what}: bytes to the terminal while idle");
    let spent = pty.cpu_times().since(&cpu);
    assert!(
        spent < Duration::from_millis(10),
        "{what}: {spent:?} of the processor in {IDLE:?} of idleness"
    );
}

#[test]
fn on_an_engine_without_events_nothing_is_drawn_and_nothing_asked() {
    let fleet = FakeFleet::new(200, 20);
    let engine = FakeEngine::start(move |request| fleet.reply(request));
    let home = Home::new();
    let mut pty = Pty::start(&home, &vole().on(engine.host()).line(&[]), 120, 40);
    pty.wait_for("volume00", PATIENCE);
    pty.settle(Duration::from_secs(3), PATIENCE);
    let asked = engine.requests().len();
    idles(&pty, "quiet engine");
    assert_eq!(
        engine.requests().len(),
        asked,
        "{:?}",
        engine.requests().split_off(asked)
    );
    pty.keys("q");
    pty.wait_exit(PATIENCE);
}

#[test]
fn the_demo_and_the_start_screen_are_quiet_too() {
    let home = Home::new();
    let demo = Pty::start(&home, &vole().line(&["--demo"]), 120, 40);
    let nothing = Pty::start(&home, &vole().on("unix:///tmp/vole-t-no-such.sock").line(&[]), 80, 24);
    demo.wait_for("shop", PATIENCE);
    nothing.wait_for("demo", PATIENCE);
    idles(&demo, "demo");
    idles(&nothing, "start screen");
}

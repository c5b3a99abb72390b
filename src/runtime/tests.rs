//! The real loop on a terminal of memory, driven by keys; tests wait for what they assert, never for time.

use std::sync::{Arc, Mutex, PoisonError};

use crossterm::event::KeyEvent;
use futures_util::stream;
use time::macros::datetime;
use tokio::task::JoinHandle;

use super::*;
use crate::demo::{self, DemoOptions};
use crate::ui::Colours;

/// The demo's present.
const NOW: OffsetDateTime = datetime!(2026-01-15 12:00 UTC);

/// A terminal's other end: what was written, and how it looks.
#[derive(Clone)]
struct Wire(Arc<Mutex<Seen>>);

struct Seen {
    parser: vt100::Parser,
    bytes: usize,
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.parser.process(bytes);
        seen.bytes += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Wire {
    fn text(&self) -> String {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = seen.parser.screen().rows(0, seen.parser.screen().size().1.get());
        rows.map(|row| row.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    fn bytes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

/// A running TUI.
struct Run {
    wire: Wire,
    keys: mpsc::Sender<io::Result<Event>>,
    task: JoinHandle<io::Result<Ended>>,
}

fn demo_now() -> Looking {
    Box::pin(async {
        let engine = demo::engine(DemoOptions::instant(NOW));
        let about = engine
            .daemon
            .about()
            .await
            .map_err(|error| vec![attempt("demo", &error)])?;
        Ok(Found {
            engine,
            about: Arc::new(about),
            demo: true,
        })
    })
}

fn nothing() -> Looking {
    let tried = Attempt {
        endpoint: "unix:///var/run/docker.sock".to_owned(),
        origin: "docker's socket".to_owned(),
        outcome: "permission denied; it belongs to group docker: usermod -aG docker NAME".to_owned(),
    };
    Box::pin(async { Err(vec![tried]) })
}

impl Run {
    fn start(columns: u16, rows: u16, connect: fn() -> Looking) -> Self {
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let wire = Wire(Arc::new(Mutex::new(Seen { parser, bytes: 0 })));
        let screen = Screen::new(wire.clone(), SizeFrom::Given(columns, rows));
        let (keys, mut typed) = mpsc::channel(64);
        let world = World {
            connect: Box::new(connect),
            demo: Box::new(demo_now),
            now: Box::new(|| NOW),
        };
        let theme = Theme::new(Colours::Default, false);
        let chosen = Chosen {
            settings: Settings::default(),
            keymap: Keymap::default(),
            theme,
        };
        let input = stream::poll_fn(move |cx| typed.poll_recv(cx));
        let terminal = Terminal::new(screen).unwrap();
        let task = tokio::spawn(run_with(terminal, input, world, chosen));
        Self { wire, keys, task }
    }

    async fn keys(&self, words: &str) {
        for word in words.split(' ') {
            let key: Key = word.parse().unwrap();
            let mut event = KeyEvent::from(key.code);
            if key.ctrl {
                event.modifiers |= crossterm::event::KeyModifiers::CONTROL;
            }
            self.keys.send(Ok(Event::Key(event))).await.unwrap();
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let text = self.wire.text();
            if holds(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "waited for {what}; the screen:\n{text}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn sees(&self, words: &str) -> String {
        self.until(words, |text| text.contains(words)).await
    }

    /// Everything is measured, and no job runs.
    async fn settled(&self) -> String {
        let idle = |text: &str| {
            text.lines()
                .rev()
                .nth(1)
                .is_some_and(|status| !status.contains("measure"))
        };
        self.until("sizes", |text| {
            text.contains("free of") && text.contains("GiB now") && !text.contains('~') && idle(text)
        })
        .await
    }

    async fn quits(self) -> Ended {
        self.keys("q").await;
        self.task.await.unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_at_the_design_size() {
    let run = Run::start(80, 24, demo_now);
    insta::assert_snapshot!("mounts_80x24", run.settled().await);
    run.keys("?").await;
    insta::assert_snapshot!("help_80x24", run.sees("keys that work here now").await);
    run.keys("esc i").await;
    insta::assert_snapshot!("details_80x24", run.sees("host path").await);
    run.keys("i 2").await;
    insta::assert_snapshot!("details_screen_80x24", run.sees("Used by 2 containers").await);
    run.keys("esc :").await;
    run.sees("actions").await;
    run.keys("o r p h").await;
    insta::assert_snapshot!("palette_80x24", run.sees(":orph").await);
    run.keys("enter").await;
    insta::assert_snapshot!("orphans_80x24", run.sees("11 of 42 mounts").await);
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_on_a_wide_terminal_and_on_one_too_small() {
    let run = Run::start(120, 40, demo_now);
    insta::assert_snapshot!("mounts_120x40", run.settled().await);
    run.keys("i").await;
    insta::assert_snapshot!("details_120x40", run.sees("host path").await);
    assert_eq!(run.quits().await, Ended::Quit);
    let run = Run::start(20, 5, demo_now);
    insta::assert_snapshot!("too_small_20x5", run.sees("too small").await);
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_engine_the_start_screen_says_why_and_offers_the_demo() {
    let run = Run::start(80, 24, nothing);
    insta::assert_snapshot!("start_80x24", run.sees("No engine answers").await);
    run.keys("enter").await;
    run.sees("DEMO").await;
    run.settled().await;
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filter_marks_and_back() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    run.keys("/ s h o p").await;
    run.sees("/shop").await;
    run.keys("enter space").await;
    run.sees("marked 1").await;
    run.keys("esc").await;
    run.until("all mounts again", |text| {
        text.contains(" 42 mounts") && !text.contains("/shop▏")
    })
    .await;
    run.keys("V").await;
    run.until("no marks", |text| !text.contains("marked")).await;
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_read_chosen_from_confirmed_and_carried_out() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    run.keys("P").await;
    run.sees("made just now").await;
    let letters = "s h o p _ o l d _ d b d a t a";
    run.keys(&format!("/ {letters} enter space")).await;
    run.sees("to take it along").await;
    run.keys(&format!("{letters} enter enter")).await;
    let question = run.sees("This cannot be undone").await;
    assert!(question.contains("shop_old_dbdata"), "{question}");
    run.keys("y").await;
    run.sees("freed").await;
    run.sees("carried out").await;
    run.keys(&format!("esc esc / {letters} enter")).await;
    run.sees("no mount passes the filter").await;
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_made_and_the_disk_is_shown() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    run.keys("n z z 9 ctrl-enter").await;
    run.sees("made volume zz9").await;
    run.keys("/ z z 9 enter").await;
    run.until("its row", |text| text.contains(" 1 of ") && text.contains("▌ zz9"))
        .await;
    run.keys("4").await;
    run.sees("inodes used").await;
    run.keys("r G").await;
    run.sees("build cache").await;
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_found_mended_and_taken_back() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    run.keys("D").await;
    insta::assert_snapshot!("doctor_80x24", run.sees("looked just now").await);
    run.keys("enter").await;
    insta::assert_snapshot!("own_80x24", run.sees("counted just now").await);
    run.keys("enter").await;
    run.sees("undo takes it back").await;
    run.keys("y").await;
    run.sees("changed; z takes it back").await;
    run.keys("z").await;
    run.sees("it can be taken back").await;
    run.keys("enter").await;
    run.sees("What changed since is left alone").await;
    run.keys("y").await;
    run.until("the undo", |text| {
        text.contains("taken back:") && text.contains("state      taken back")
    })
    .await;
    // What was found is marked until the next diagnosis, in the table and in the details.
    run.keys("esc / b l o g _ c o n t e n t enter i").await;
    let shown = run.sees("! doctor").await;
    assert!(shown.contains("blog_content !"), "{shown}");
    assert!(shown.contains(" findings"), "{shown}");
    assert_eq!(run.quits().await, Ended::Quit);
    let run = Run::start(120, 40, demo_now);
    run.settled().await;
    run.keys("D").await;
    insta::assert_snapshot!("doctor_120x40", run.sees("looked just now").await);
    assert_eq!(run.quits().await, Ended::Quit);
}

/// A cursor step at 120 × 40 must fit into one packet of a slow line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_step_sends_little_and_idling_nothing() {
    let run = Run::start(120, 40, demo_now);
    run.settled().await;
    let steps = |limit: usize| {
        let run = &run;
        async move {
            for key in ["j", "j", "j", "j", "k", "j", "j", "j", "j", "j", "k", "k"] {
                let (before, screen) = (run.wire.bytes(), run.wire.text());
                run.keys(key).await;
                run.until("a step", |text| text != screen).await;
                let sent = run.wire.bytes() - before;
                assert!(sent <= limit, "{key} sent {sent} bytes, more than {limit}");
            }
        }
    };
    steps(300).await;
    run.keys("i").await;
    run.sees("host path").await;
    steps(1536).await;
    // Keys that mean nothing or change nothing send nothing: what the last key sent is all that came.
    run.keys("g").await;
    run.until("the first row", |text| text.contains("▌   /srv/media")).await;
    let before = run.wire.bytes();
    run.keys("g k Z f9 j").await;
    run.until("the second row", |text| text.contains("▌   media_library"))
        .await;
    let sent = run.wire.bytes() - before;
    assert!(sent <= 1536, "{sent} bytes for one step and four keys without meaning");
    assert_eq!(run.quits().await, Ended::Quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_terminal_ends_the_loop() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    let Run { keys, task, .. } = run;
    drop(keys);
    assert_eq!(task.await.unwrap().unwrap(), Ended::Signal(1));
}

/// Every screen at every size: nothing panics, nothing is written outside.
#[test]
fn no_size_is_too_odd_for_any_screen() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut state = runtime.block_on(settled_state());
    let theme = Theme::new(Colours::Mono, true);
    for keys in [
        "", "i", "2", "?", ":", "w", "1 / a", "enter", "4", "1 n", "esc P", "esc D", "tab", "z", "1 o",
    ] {
        for columns in 1..=130 {
            for rows in 1..=45 {
                // All small sizes, a sample of the others.
                if (columns > 60 || rows > 12) && (columns * 7 + rows) % 13 != 0 {
                    continue;
                }
                update(&mut state, Msg::Resize(columns, rows));
                let backend = ratatui::backend::TestBackend::new(columns, rows);
                let mut terminal = Terminal::new(backend).unwrap();
                terminal.draw(|frame| ui::view(&state, &theme, frame)).unwrap();
            }
        }
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            update(&mut state, Msg::Key(key.parse().unwrap()));
        }
    }
}

/// The state as the demo leaves it, without a loop: what its effects ask is answered by hand.
async fn settled_state() -> State {
    let engine = demo::engine(DemoOptions::instant(NOW));
    let about = Arc::new(engine.daemon.about().await.unwrap());
    let mut state = State::new(Settings::default(), Keymap::default(), NOW, (80, 24));
    let endpoint = engine.daemon.endpoint();
    let id = engine.id.clone();
    update(
        &mut state,
        Msg::Connected(crate::core::msg::Connected {
            id: id.clone(),
            endpoint,
            about,
            demo: true,
        }),
    );
    for depth in [crate::ops::list::Depth::Rows, crate::ops::list::Depth::Full] {
        let inventory = Arc::new(crate::ops::list::load(&engine, depth).await.unwrap());
        let msg = crate::core::msg::EngineMsg::Inventory(Ok(inventory));
        update(&mut state, Msg::Engine(id.clone(), msg));
    }
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_copied_checked_and_comes_back_under_another_name() {
    let run = Run::start(80, 24, demo_now);
    run.settled().await;
    run.keys("/ s h o p _ r e d i s enter b").await;
    run.sees("planned just now").await;
    run.keys("enter").await;
    run.sees("back up shop_redis: ").await;
    run.sees("carried out").await;
    run.keys("6").await;
    run.sees("4 archives").await;
    run.keys("/ s h o p _ r e d i s enter v").await;
    run.sees("✓ ok").await;
    run.keys("u").await;
    // A container that runs uses it.
    run.sees("vole does not do this: shop-redis-1 has").await;
    run.keys("n ctrl-u z z 8 enter").await;
    run.sees("zz8, a new volume").await;
    run.keys("enter").await;
    run.sees("restore zz8: ").await;
    run.sees("carried out").await;
    run.keys("1 esc / z z 8 enter").await;
    run.until("its row", |text| text.contains(" 1 of ") && text.contains("12.2 MiB"))
        .await;
    run.keys("enter").await;
    run.sees("dump.rdb").await;
    assert_eq!(run.quits().await, Ended::Quit);
}

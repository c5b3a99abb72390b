//! The questions before something is removed, changed or stopped: a name to be typed, and yes or no.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::dialogs::boxed;
use super::pen::Pen;
use super::theme::Theme;
use super::{footer, plan};
use crate::core::action::Action;
use crate::core::figures;
use crate::core::input::Input;
use crate::core::menu;
use crate::core::own;
use crate::core::plan::{Review, Wanted};
use crate::core::state::{Named, Question, State};
use crate::core::update::wanted_name;
use crate::engine::daemon::Switch;
use crate::model::MountKind;
use crate::text;

/// Columns of a question.
const COLUMNS: u16 = 72;
/// Lines that a reason may take.
const REASON: usize = 5;

/// Writes lines one below the other.
struct Page<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    line: u16,
    theme: &'a Theme,
}

impl Page<'_, '_> {
    fn pen(&mut self) -> Pen<'_> {
        let pen = Pen::new(
            self.frame.buffer_mut(),
            self.area,
            self.line,
            self.theme.glyphs.ellipsis,
        );
        self.line = self.line.saturating_add(1);
        pen
    }
}

/// Asks for the name of what is to be taken along.
pub(super) fn name(state: &State, wanted: &Wanted, input: &Input, wrong: bool, theme: &Theme, frame: &mut Frame<'_>) {
    let reason = wrapped(state, &wanted.reason);
    type_name(
        state,
        reason,
        (&wanted.name, "to take it along"),
        input,
        wrong,
        theme,
        frame,
    );
}

/// Asks for the name of the mount in which something is to be changed.
pub(super) fn type_it(state: &State, of: Named, input: &Input, wrong: bool, theme: &Theme, frame: &mut Frame<'_>) {
    let (Some(engine), Some(name)) = (state.engine(), wanted_name(state)) else {
        return;
    };
    let (words, reasons, purpose) = match of {
        Named::Own => {
            let Some(review) = &engine.own else { return };
            let blocks = review.plan().map(|plan| plan.blocks.iter().map(own::block_words));
            let blocks: Vec<String> = blocks.into_iter().flatten().collect();
            (review.words(), blocks, "to change it all the same")
        }
        Named::Restore => {
            let Some(review) = &engine.restore else { return };
            let why = review.plan().and_then(|plan| plan.needs_name.clone());
            (review.words(), why.into_iter().collect(), "to restore to it")
        }
    };
    let mut reason = wrapped(state, &words);
    for why in reasons.iter().take(REASON) {
        reason.extend(wrapped(state, why));
    }
    type_name(state, reason, (name, purpose), input, wrong, theme, frame);
}

fn wrapped(state: &State, words: &str) -> Vec<String> {
    let room = usize::from(COLUMNS.min(state.size.0.saturating_sub(4)));
    let mut lines = text::wrap(&text::printable_str(words), room);
    lines.truncate(REASON);
    lines
}

fn type_name(
    state: &State,
    reason: Vec<String>,
    (name, purpose): (&str, &str),
    input: &Input,
    wrong: bool,
    theme: &Theme,
    frame: &mut Frame<'_>,
) {
    let rows = u16::try_from(reason.len()).unwrap_or(0) + 4;
    let area = boxed(state, "this does not go unasked", COLUMNS, rows, theme, frame);
    let mut page = Page {
        frame,
        area,
        line: 0,
        theme,
    };
    for line in &reason {
        page.pen().put(line, theme.warning);
    }
    page.line += 1;
    let mut pen = page.pen();
    pen.put("type ", theme.dim)
        .put(&text::printable_str(name), theme.group)
        .put(&format!(" {purpose}"), theme.dim);
    let mut pen = page.pen();
    pen.put("> ", theme.key);
    footer::input(&mut pen, input, true, theme);
    if wrong {
        page.pen().put("that is not its name", theme.fault);
    }
}

/// Asks a question that only yes or no answers.
pub(super) fn ask(state: &State, question: &Question, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(asked) = Asked::of(state, question) else {
        return;
    };
    let mut lines = wrapped(state, &asked.question);
    let heads = lines.len();
    for words in &asked.words {
        lines.extend(wrapped(state, words));
    }
    let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = boxed(state, asked.title, COLUMNS, rows, theme, frame);
    // Whatever has no room, the answers have.
    lines.truncate(usize::from(area.height.saturating_sub(2)));
    let mut page = Page {
        frame,
        area,
        line: 0,
        theme,
    };
    for (at, line) in lines.iter().enumerate() {
        let style = if at < heads { theme.group } else { theme.warning };
        page.pen().put(line, style);
    }
    page.line += 1;
    answers(state, page.pen(), (asked.yes, asked.no), theme);
}

/// A question in words.
struct Asked {
    title: &'static str,
    question: String,
    words: Vec<String>,
    yes: &'static str,
    no: &'static str,
}

impl Asked {
    fn of(state: &State, question: &Question) -> Option<Self> {
        let engine = state.engine()?;
        Some(match question {
            Question::Own => {
                let review = engine.own.as_ref()?;
                let plan = review.plan()?;
                let count = figures::count(plan.census.change);
                let blocks = plan.blocks.iter().map(own::block_words);
                let mut words: Vec<String> = blocks.chain(plan.caveats.iter().cloned()).collect();
                words.push("What it changes is written down first; undo takes it back.".to_owned());
                Self {
                    title: "change",
                    question: format!("{}: change {count}?", review.words()),
                    words,
                    yes: "changes",
                    no: "leave everything",
                }
            }
            Question::Undo(id) => {
                let row = engine.undo.rows().iter().find(|row| row.id == *id)?;
                let count = figures::count(row.entries);
                Self {
                    title: "undo",
                    question: format!("Take back {}? It has {count} to put back.", row.words),
                    words: vec!["What changed since is left alone, and listed.".to_owned()],
                    yes: "takes it back",
                    no: "leave everything",
                }
            }
            Question::Switch { name, switch, .. } => Self {
                title: "container",
                question: match switch {
                    Switch::Start => format!("Start {name}?"),
                    Switch::Stop => format!("Stop {name}?"),
                    Switch::Restart => format!("Stop {name} and start it again?"),
                },
                words: vec!["Whoever uses it now loses it meanwhile.".to_owned()],
                yes: "does it",
                no: "leave it",
            },
        })
    }
}

/// Asks whether what is chosen shall be removed.
pub(super) fn confirm(state: &State, theme: &Theme, frame: &mut Frame<'_>) {
    let Some(review) = state.engine().and_then(|engine| engine.plan.as_ref()) else {
        return;
    };
    let names = names(review, theme);
    let count = u16::try_from(names.len()).unwrap_or(u16::MAX);
    let outdated = u16::from(review.outdated);
    let area = boxed(
        state,
        "remove",
        COLUMNS,
        count.saturating_add(6 + outdated),
        theme,
        frame,
    );
    let mut page = Page {
        frame,
        area,
        line: 0,
        theme,
    };
    page.pen().put(&question(review), theme.group);
    page.line += 1;
    let room = area.height.saturating_sub(6 + outdated).max(1);
    let shown = if count > room { room - 1 } else { count };
    for (name, words) in names.iter().take(usize::from(shown)) {
        page.pen().skip(2).put(name, theme.plain).skip(2).put(words, theme.dim);
    }
    if count > shown {
        let words = format!("and {} more", figures::count(u64::from(count - shown)));
        page.pen().skip(2).put(&words, theme.dim);
    }
    page.line += 1;
    if outdated > 0 {
        let words = "Something changed since the plan was made; each row is looked at again.";
        page.pen().put(words, theme.warning);
    }
    page.pen().put("This cannot be undone.", theme.fault);
    answers(state, page.pen(), ("removes", "keep everything"), theme);
}

fn question(review: &Review) -> String {
    let (volumes, containers) = (review.chosen().len() as u64, review.taken().count() as u64);
    let size = match volumes {
        0 => String::new(),
        _ => format!(" That frees {}.", plan::bytes(review.sum())),
    };
    let what = match (containers, volumes) {
        (0, _) => figures::counted(volumes, "volume"),
        (_, 0) => figures::counted(containers, "container"),
        _ => format!(
            "{} and {}",
            figures::counted(containers, "container"),
            figures::counted(volumes, "volume")
        ),
    };
    format!("Remove {what}?{size}")
}

/// What goes, each with what it is.
fn names(review: &Review, theme: &Theme) -> Vec<(String, String)> {
    let Some(plan) = review.plan() else { return Vec::new() };
    let containers = review
        .taken()
        .map(|one| (text::printable_str(&one.name), "container".to_owned()));
    let chosen = plan.rows.iter().filter(|row| review.is_chosen(row));
    let volumes = chosen.map(|row| {
        let name = match row.mount.kind {
            MountKind::Anonymous if row.typed_name() != row.mount.name => {
                format!("{}{}", text::printable_str(row.typed_name()), theme.glyphs.ellipsis)
            }
            _ => text::printable_str(&row.mount.name),
        };
        let size = row.frees.map_or_else(|| "size unknown".to_owned(), figures::bytes);
        let looks = text::printable_str(row.fingerprint.as_deref().unwrap_or("contents unknown"));
        (name, format!("{size}, {looks}"))
    });
    containers.chain(volumes).collect()
}

fn answers(state: &State, mut pen: Pen<'_>, (yes, no): (&str, &str), theme: &Theme) {
    let mut answer = |action: Action, words: &str, style: Style| {
        pen.put(&menu::keys(state, action), theme.key)
            .put(&format!(" {words}"), style)
            .skip(3);
    };
    answer(Action::Yes, yes, theme.plain);
    answer(Action::No, no, theme.plain);
}

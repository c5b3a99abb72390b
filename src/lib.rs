//! vole, the VOLume Explorer: every mount of a Docker or Podman engine in a terminal.
//!
//! # The screen, part by part
//!
//! ```text
//!  vole  docker 20.10.24 on vm · 49.1 GiB free                live   header   ui::header    engine, space, link
//!  by size ↓ in projects                                  24 mounts   head     ui::mounts    order, filters, counts
//!   NAME                 KIND       SIZE SEEN USED BY  WROTE   AGE    columns  ui::columns   what the width allows
//!   shop  5                     20.6 MiB                              group    core::mounts  a project and its sum
//! ▌   shop_uploads       volume 11.8 MiB now  2/2 up      1h    1h    row      core::mounts  ▌ the cursor, by identity
//!     shop_dbdata        volume  8.9 MiB now  1/1 up     now    1h             a number and how old it is
//!     shop_old           volume        ? ask  orphan            3M             unknown is a value
//!  orphans 8 · 20.3 MiB + 1 unknown         measure ████▊─── 20/23    totals   core::mounts  marked, orphaned; jobs
//!  enter files  i details  / filter  O orphans  ? help  q quit        footer   core::action  only what works now
//! ```
//!
//! Beside or instead of the table: [`core::details`], the files of a mount ([`core::files`]), the preview of one file
//! ([`core::preview`]), the plan of a removal ([`core::plan`]), what fills the disk
//! ([`core::disk`]). Over it at most one dialog: help, palette, jobs, a name to
//! be typed, the question before a removal.
//!
//! ```text
//!  plan: what may be left over                made just now   bar      ui::plan      scope, filters, how old it is
//!  Safe  2 · 1 GiB  go when you confirm                       title    core::plan    a group and what it frees
//! ▌[x] build-cache    1 GiB empty   40d nothing refers to it  row      core::plan    chosen, what, how big, why
//!  Ask  1 · 700 MiB  go only when their name is typed
//!   ▸  in use or not to be told: 14                           fold     core::plan    what no plan takes along
//!  why        nothing refers to it: …                         pane     core::plan    everything about the row
//!  2 chosen · 1 GiB                                           status   ui::status    what goes when you confirm
//! ```
//!
//! # The way of a key
//!
//! The terminal's bytes become a [`core::Key`]; [`core::keymap`] finds its [`core::action::Action`] among those that are
//! available now; [`core::update()`] changes the [`core::State`] and answers with effects, plain data; [`runtime`] starts
//! a task for each, which calls [`ops`]; those ask the engine ([`engine::Daemon`]) or its agent ([`engine::Session`]).
//! What they learn comes back as messages, which go through `update` like keys do. Then [`ui`] draws the state, at most
//! once per ten milliseconds and only when something changed.
//!
//! The command line ([`cli`]) calls the same [`ops`] without any of this.
//!
//! # What is where
//!
//! [`model`] has the nouns; [`inventory`] turns an engine's answers into mounts, purely; [`demo`] is an engine that is
//! not there; [`archive`] knows the archives on this machine; [`store`] says where files of vole's own lie; [`text`] is
//! the only door between outside names and a terminal; [`fault`] is where tests kill the program. The agent's side of the
//! protocol is the crate `vole_agent`.

pub mod archive;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod fault;
pub mod fingerprint;
pub mod inventory;
pub mod journal;
pub mod model;
pub mod ops;
pub mod runtime;
pub mod store;
pub mod text;
pub mod ui;

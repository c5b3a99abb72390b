//! The server loop over real pipes, with a toy backend: credit, cancelling, ends and bad input.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken step of a test should end it"
)]

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use vole_agent::frame;
use vole_agent::proto::{Fault, FromAgent, Hello, Place, Reply, Request, ToAgent, WINDOW};
use vole_agent::serve::{Backend, Halt, MAX_REQUESTS, Sink, serve};

/// Reads `len` replies, or without end; a stat is answered at once, everything else panics.
struct Toy;

impl Backend for Toy {
    fn hello(&self) -> Hello {
        Hello {
            arch: "toy".into(),
            kernel: "0".into(),
            openat2: false,
            roots: Vec::new(),
        }
    }

    fn handle(&self, request: Request, sink: &Sink) -> Result<Vec<Fault>, Halt> {
        match request {
            Request::Read { len, .. } => (0..len).try_for_each(|_| sink.send(Reply::Data(vec![1; 1000])))?,
            Request::Follow { .. } => sink.pause(std::time::Duration::from_secs(3600))?,
            Request::Stat { .. } => {}
            other => panic!("no {other:?} here"),
        }
        Ok(Vec::new())
    }
}

struct Client {
    input: PipeWriter,
    output: PipeReader,
    server: JoinHandle<std::io::Result<()>>,
}

impl Client {
    fn start() -> Self {
        let (agent_in, input) = std::io::pipe().unwrap();
        let (mut output, agent_out) = std::io::pipe().unwrap();
        let server = std::thread::spawn(move || serve(Arc::new(Toy), agent_in, agent_out));
        let mut preamble = [0; frame::PREAMBLE];
        output.read_exact(&mut preamble).unwrap();
        frame::check_preamble(preamble).unwrap();
        let mut client = Self { input, output, server };
        assert!(matches!(client.next(), FromAgent::Hello(_)));
        client
    }

    fn send(&mut self, message: &ToAgent) {
        self.input.write_all(&frame::encode(message).unwrap()).unwrap();
    }

    fn request(&mut self, id: u32, request: Request) {
        self.send(&ToAgent::Request { id, request });
    }

    fn next(&mut self) -> FromAgent {
        frame::read(&mut self.output).unwrap().expect("the agent went on")
    }

    fn reply(&mut self) -> (u32, Reply) {
        match self.next() {
            FromAgent::Reply { id, reply } => (id, reply),
            FromAgent::Hello(_) => panic!("a second hello"),
            FromAgent::Credit { .. } => self.reply(),
        }
    }
}

fn place() -> Place {
    Place {
        root: 0,
        path: Vec::new(),
    }
}

fn endless() -> Request {
    Request::Read {
        at: place(),
        offset: 0,
        len: u64::MAX,
    }
}

#[test]
fn a_request_without_credit_stalls_and_others_run_past_it() {
    let mut client = Client::start();
    client.request(1, endless());
    for _ in 0..WINDOW {
        assert_eq!(client.reply(), (1, Reply::Data(vec![1; 1000])));
    }
    client.request(2, Request::Stat { at: place() });
    assert_eq!(client.reply(), (2, Reply::Done { notes: Vec::new() }));
    client.send(&ToAgent::Credit { id: 1, frames: 2 });
    assert!(matches!(client.reply(), (1, Reply::Data(_))));
    assert!(matches!(client.reply(), (1, Reply::Data(_))));
    client.send(&ToAgent::Cancel { id: 1 });
    assert_eq!(client.reply(), (1, Reply::Cancelled));
}

#[test]
fn an_id_is_free_again_once_its_final_reply_is_there() {
    let mut client = Client::start();
    for _ in 0..200 {
        client.request(5, Request::Stat { at: place() });
        assert_eq!(client.reply(), (5, Reply::Done { notes: Vec::new() }));
    }
}

#[test]
fn late_credit_and_cancels_are_ignored() {
    let mut client = Client::start();
    client.send(&ToAgent::Cancel { id: 9 });
    client.send(&ToAgent::Credit {
        id: 9,
        frames: u32::MAX,
    });
    client.request(1, Request::Stat { at: place() });
    assert_eq!(client.reply(), (1, Reply::Done { notes: Vec::new() }));
}

#[test]
fn the_end_of_input_cancels_what_runs_even_without_credit() {
    let mut client = Client::start();
    client.request(1, endless());
    client.request(2, Request::Follow { at: place(), tail: 0 });
    for _ in 0..WINDOW {
        assert!(matches!(client.reply(), (1, Reply::Data(_))));
    }
    drop(client.input);
    client.server.join().unwrap().unwrap();
}

#[test]
fn the_end_of_input_does_not_wait_for_a_reader_that_sleeps() {
    let mut client = Client::start();
    // More than a pipe holds, and nobody reads.
    for id in 0..8 {
        client.request(id, endless());
    }
    drop(client.input);
    client.server.join().unwrap().unwrap();
    drop(client.output);
}

#[test]
fn a_panic_fails_its_request_only() {
    let mut client = Client::start();
    client.request(1, Request::FileSystems { roots: Vec::new() });
    assert!(matches!(client.reply(), (1, Reply::Failed(_))));
    client.request(1, Request::Stat { at: place() });
    assert_eq!(client.reply(), (1, Reply::Done { notes: Vec::new() }));
}

#[test]
fn one_request_too_many_is_refused() {
    let mut client = Client::start();
    for id in 0..=u32::try_from(MAX_REQUESTS).unwrap() {
        client.request(id, Request::Follow { at: place(), tail: 0 });
    }
    assert!(matches!(client.reply(), (32, Reply::Failed(fault)) if fault.message.contains("32")));
}

#[test]
fn bad_input_ends_the_connection_with_an_error() {
    let breaches: [&[u8]; 3] = [&[255; 64], &[3, 0, 0, 0, 9, 9, 9], &[2, 0, 0, 0, 0]];
    for bytes in breaches {
        let mut client = Client::start();
        client.input.write_all(bytes).unwrap();
        drop(client.input);
        assert!(client.server.join().unwrap().is_err(), "{bytes:?}");
    }
    let mut client = Client::start();
    client.request(1, endless());
    client.request(1, endless());
    assert!(client.server.join().unwrap().is_err(), "two running requests of one id");
}

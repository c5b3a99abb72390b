//! A blocking client over pipes: what a test says to an agent that serves a directory.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use vole_agent::frame;
use vole_agent::fs::Roots;
use vole_agent::proto::archive::{Placing, Unpack, UnpackItem, Unpacked};
use vole_agent::proto::{Entry, Fault, FromAgent, Hello, Order, Page, Place, Reply, Request, ToAgent, WINDOW};
use vole_agent::serve::serve;

pub(crate) struct Client {
    input: Box<dyn Write>,
    output: Box<dyn Read>,
    pub(crate) hello: Hello,
    next: u32,
    /// The agent of this process.
    served: Option<JoinHandle<()>>,
}

/// An agent in this process holds its roots open until it has ended, and a test may unmount them next.
impl Drop for Client {
    fn drop(&mut self) {
        self.input = Box::new(std::io::sink());
        self.output = Box::new(std::io::empty());
        if let Some(served) = self.served.take() {
            // What it panicked with was printed; to panic here as well would hide what the test found.
            let _ended = served.join();
        }
    }
}

impl Client {
    pub(crate) fn over(path: &Path) -> Self {
        Self::of(Roots::open([path]))
    }

    pub(crate) fn of(roots: Roots) -> Self {
        let (agent_in, input) = std::io::pipe().unwrap();
        let (output, agent_out) = std::io::pipe().unwrap();
        let served = std::thread::spawn(move || {
            // A client that went first shows as a broken stream.
            let _ended = serve(Arc::new(roots), agent_in, agent_out);
        });
        let mut client = Self::meet(Box::new(input), Box::new(output));
        client.served = Some(served);
        client
    }

    /// An agent in a process of its own, which ends when the client does.
    pub(crate) fn of_program(program: &mut Command) -> Self {
        let mut agent = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (agent.stdin.take().unwrap(), agent.stdout.take().unwrap());
        std::thread::spawn(move || agent.wait());
        Self::meet(Box::new(input), Box::new(output))
    }

    fn meet(input: Box<dyn Write>, mut output: Box<dyn Read>) -> Self {
        let mut preamble = [0; frame::PREAMBLE];
        output.read_exact(&mut preamble).unwrap();
        frame::check_preamble(preamble).unwrap();
        let Some(FromAgent::Hello(hello)) = frame::read(&mut output).unwrap() else {
            panic!("no hello")
        };
        Self {
            input,
            output,
            hello,
            next: 0,
            served: None,
        }
    }

    fn send(&mut self, message: &ToAgent) {
        self.input.write_all(&frame::encode(message).unwrap()).unwrap();
    }

    /// Sends something that is no request.
    pub(crate) fn tell(&mut self, message: &ToAgent) {
        self.send(message);
    }

    /// Starts a request; returns its id.
    pub(crate) fn start(&mut self, request: Request) -> u32 {
        self.next += 1;
        self.send(&ToAgent::Request { id: self.next, request });
        self.next
    }

    pub(crate) fn confirm(&mut self, id: u32, through: u64) {
        self.send(&ToAgent::Confirm { id, through });
    }

    /// Ends the agent's input, and waits until it has ended itself.
    pub(crate) fn hang_up(mut self) {
        self.input = Box::new(std::io::sink());
        self.output.read_to_end(&mut Vec::new()).unwrap();
    }

    pub(crate) fn cancel(&mut self, id: u32) {
        self.send(&ToAgent::Cancel { id });
    }

    /// The next reply, paid for with credit.
    pub(crate) fn reply(&mut self) -> (u32, Reply) {
        match frame::read(&mut self.output).unwrap() {
            Some(FromAgent::Reply { id, reply }) => {
                self.send(&ToAgent::Credit { id, frames: 1 });
                (id, reply)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next reply, without paying for it.
    pub(crate) fn unpaid(&mut self) -> (u32, Reply) {
        match frame::read(&mut self.output).unwrap() {
            Some(FromAgent::Reply { id, reply }) => (id, reply),
            other => panic!("{other:?}"),
        }
    }

    /// Runs a request to its end.
    pub(crate) fn run(&mut self, request: Request) -> Result<(Vec<Reply>, Vec<Fault>), Fault> {
        let id = self.start(request);
        let mut replies = Vec::new();
        loop {
            match self.reply() {
                (of, Reply::Done { notes }) if of == id => return Ok((replies, notes)),
                (of, Reply::Failed(fault)) if of == id => return Err(fault),
                (of, reply) if of == id => replies.push(reply),
                (_, reply) => panic!("a reply of another request: {reply:?}"),
            }
        }
    }

    /// Unpacks an archive that comes in pieces; confirms at once what there is to confirm.
    pub(crate) fn unpack(&mut self, unpack: Unpack, archive: &[u8]) -> Result<(Unpacked, Vec<Fault>), Fault> {
        let id = self.start(Request::Unpack(unpack.clone()));
        if unpack.placing == Placing::InPlace {
            self.confirm(id, 1);
        }
        let (mut credit, mut unpacked, mut ended) = (WINDOW, None, false);
        let mut pieces = archive.chunks(100_000);
        loop {
            while credit > 0 && !ended {
                credit -= 1;
                match pieces.next() {
                    Some(bytes) => self.send(&ToAgent::Data {
                        id,
                        bytes: bytes.to_vec(),
                    }),
                    None => {
                        self.send(&ToAgent::End { id });
                        ended = true;
                    }
                }
            }
            let reply = match frame::read(&mut self.output).unwrap() {
                Some(FromAgent::Credit { frames, .. }) => {
                    credit += frames;
                    continue;
                }
                Some(FromAgent::Reply { reply, .. }) => reply,
                other => panic!("{other:?}"),
            };
            self.send(&ToAgent::Credit { id, frames: 1 });
            match reply {
                Reply::Unpack(UnpackItem::Progress(_)) => {}
                Reply::Unpack(UnpackItem::Ready(ready)) => {
                    unpacked = Some(ready);
                    self.confirm(id, 1);
                }
                Reply::Done { notes } => return Ok((unpacked.unwrap(), notes)),
                Reply::Failed(fault) => return Err(fault),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn page(
        &mut self,
        path: &[u8],
        order: Order,
        after: Option<vole_agent::proto::Cursor>,
        limit: u32,
    ) -> Page {
        let (mut replies, _) = self
            .run(Request::List {
                at: place(path),
                order,
                after,
                limit,
            })
            .unwrap();
        let Some(Reply::Page(page)) = replies.pop() else {
            panic!("no page")
        };
        page
    }

    /// All entries of a directory, page by page.
    pub(crate) fn list(&mut self, path: &[u8], order: Order, limit: u32) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(path, order, after, limit);
            entries.extend(page.entries);
            after = page.next;
            if after.is_none() {
                return entries;
            }
        }
    }

    pub(crate) fn stat(&mut self, path: &[u8]) -> Result<Entry, Fault> {
        let (mut replies, _) = self.run(Request::Stat { at: place(path) })?;
        let Some(Reply::Entry(entry)) = replies.pop() else {
            panic!("no entry")
        };
        Ok(entry)
    }

    pub(crate) fn read(&mut self, path: &[u8], offset: u64, len: u64) -> Result<Vec<u8>, Fault> {
        let (replies, _) = self.run(Request::Read {
            at: place(path),
            offset,
            len,
        })?;
        let data = replies.into_iter().flat_map(|reply| match reply {
            Reply::Data(bytes) => bytes,
            other => panic!("{other:?}"),
        });
        Ok(data.collect())
    }
}

pub(crate) fn place(path: &[u8]) -> Place {
    Place {
        root: 0,
        path: path.to_vec(),
    }
}

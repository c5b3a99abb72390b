//! The static binary: serves the roots given as arguments on its standard input and output, or on the socket named by
//! `--channel`.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sha2::{Digest as _, Sha256};
use vole_agent::archive::seal::seal;
use vole_agent::fs::{Coming, Roots, Unpacker};
use vole_agent::proto::archive::{Compression, Pack, PackItem, Placing, Unpack, UnpackItem};
use vole_agent::proto::{Fault, Place, UsageItem, VERSION};
use vole_agent::serve::{Halt, serve};
use vole_agent::signs::Signs;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    match arguments.peek().and_then(|first| first.to_str()) {
        Some("--version") => {
            println!("vole-agent {} protocol {VERSION}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some("usage") => usage(arguments.skip(1).collect()),
        Some("pack") => pack(arguments.skip(1).collect()),
        Some("unpack") => unpack(arguments.skip(1)),
        Some("--channel") => {
            let channel = arguments.nth(1).and_then(|path| UnixStream::connect(path).ok());
            let halves = channel.and_then(|input| Some((input.try_clone().ok()?, input)));
            match halves {
                Some((input, output)) => run(arguments, input, output),
                // Not reached from in here: the client listens on both.
                None => run(arguments, io::stdin(), io::stdout()),
            }
        }
        _ => run(arguments, io::stdin(), io::stdout()),
    }
}

/// Serves the roots on a stream.
fn run(
    roots: impl Iterator<Item = OsString>,
    input: impl Read + Send + 'static,
    output: impl Write + Send + 'static,
) -> ExitCode {
    raise_descriptor_limit();
    // Rust ignores SIGPIPE at start, so a client that is gone shows as an error of a write.
    end(serve(Arc::new(Roots::open(roots)), input, output))
}

/// Walks with many threads hold many directories open.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without it the walk reopens directories more often, and is right all the same.
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .ok();
}

fn end(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The client went first: nobody is left to tell.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "vole-agent: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// `vole-agent usage [-j THREADS] PATH...`: one line per path, for measuring the walker by itself.
fn usage(mut paths: Vec<OsString>) -> ExitCode {
    raise_descriptor_limit();
    let mut threads = 0;
    if paths.len() > 2 && paths[0] == "-j" {
        threads = paths[1].to_str().and_then(|number| number.parse().ok()).unwrap_or(0);
        paths.drain(..2);
    }
    let places: Vec<Place> = (0..)
        .zip(&paths)
        .map(|(root, _)| Place { root, path: Vec::new() })
        .collect();
    let mut out = io::stdout().lock();
    let measured = Roots::open(&paths).measure(&places, 0, threads, &Signs::new(Vec::new()), |items| {
        for item in items {
            let written = match item {
                UsageItem::Complete {
                    place,
                    totals,
                    other_fs,
                    faults,
                    ..
                } => writeln!(
                    out,
                    "{place} bytes {} apparent {} files {} dirs {} errors {} other_fs {other_fs} faults {}",
                    totals.bytes,
                    totals.apparent,
                    totals.files,
                    totals.dirs,
                    totals.errors,
                    faults.len()
                ),
                UsageItem::Failed { place, fault } => writeln!(out, "{place} failed: {}", fault.message),
                UsageItem::Progress { .. } | UsageItem::Dir { .. } => Ok(()),
            };
            written.map_err(|_| Halt::Cancelled)?;
        }
        Ok(())
    });
    if measured.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// `vole-agent pack [-z zstd|gzip|none] [-j THREADS] PATH`: an archive with its seal on standard output, for measuring the
/// packer by itself.
fn pack(mut arguments: Vec<std::ffi::OsString>) -> ExitCode {
    raise_descriptor_limit();
    let mut pack = Pack {
        at: Place {
            root: 0,
            path: Vec::new(),
        },
        leave: Vec::new(),
        compression: Compression::Zstd,
        head: b"{}".to_vec(),
        threads: 0,
    };
    while arguments.len() > 2 {
        let value = arguments[1].to_str();
        match (arguments[0].to_str(), value) {
            (Some("-z"), Some("gzip")) => pack.compression = Compression::Gzip,
            (Some("-z"), Some("none")) => pack.compression = Compression::None,
            (Some("-j"), Some(threads)) => pack.threads = threads.parse().unwrap_or(0),
            _ => {}
        }
        arguments.drain(..2);
    }
    let mut out = io::stdout().lock();
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hash.update(bytes);
        out.write_all(bytes).map_err(|_| Halt::Cancelled)
    };
    let packed = Roots::open(&arguments).archive(&pack, |coming| match coming {
        Coming::Data(bytes) => put(bytes),
        Coming::News(PackItem::Packed(packed)) => {
            for lack in packed.lacks {
                eprintln!("{}: {:?}", lack.path.escape_ascii(), lack.want);
            }
            Ok(())
        }
        Coming::News(_) | Coming::Nothing => Ok(()),
    });
    let sealed = packed.and_then(|()| {
        let seal = seal(pack.compression, hash.finalize().into());
        out.write_all(&seal).map_err(|_| Halt::Cancelled)
    });
    match sealed {
        Ok(()) => ExitCode::SUCCESS,
        Err(halt) => {
            if let Halt::Fault(Fault { message, .. }) = halt {
                eprintln!("vole-agent: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Takes news of an unpacking that nobody cancels.
struct Alone;

impl Unpacker for Alone {
    fn tell(&self, item: UnpackItem) -> Result<(), Halt> {
        if let UnpackItem::Ready(unpacked) = item {
            for lack in unpacked.lacks {
                eprintln!("{}: {:?}", lack.path.escape_ascii(), lack.want);
            }
        }
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn confirmed(&self) -> Result<(), Halt> {
        Ok(())
    }

    fn close_input(&self) {}
}

/// `vole-agent unpack DIR < ARCHIVE`: into an empty directory, for measuring by itself.
fn unpack(directory: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    raise_descriptor_limit();
    let unpack = Unpack {
        root: 0,
        placing: Placing::Fresh,
        id: "1".into(),
        strip: 0,
        only: Vec::new(),
        foreign: true,
    };
    match Roots::open(directory).extract(&unpack, io::stdin(), &Alone) {
        Ok(_) => ExitCode::SUCCESS,
        Err(halt) => {
            if let Halt::Fault(Fault { message, path, .. }) = halt {
                eprintln!("vole-agent: {}: {message}", path.escape_ascii());
            }
            ExitCode::FAILURE
        }
    }
}

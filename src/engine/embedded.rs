//! The agents that this program carries, one static Linux program per architecture. `build.rs` builds them; how they
//! get into an engine is not known here.

/// An agent's program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// The static ELF program.
    pub bytes: &'static [u8],
    /// The first 16 hexadecimal digits of its SHA-256; names the image that holds it.
    pub hash: &'static str,
    /// The Rust target that it was built for; `given` when it was named by `VOLE_AGENT_<ARCH>`.
    pub target: &'static str,
}

/// What `build.rs` could build or was given, by `uname -m`.
static AGENTS: &[(&str, Embedded)] = &include!(concat!(env!("OUT_DIR"), "/agents.rs"));

/// The agent for an architecture as an engine names it: `uname -m` (`/info`) or Go's names (`/version`).
/// `None` when this build carries none.
#[must_use]
pub fn agent(arch: &str) -> Option<Embedded> {
    let arch = match arch {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    AGENTS.iter().find(|(name, _)| *name == arch).map(|(_, agent)| *agent)
}

/// The architectures that this build carries an agent for.
pub fn architectures() -> impl Iterator<Item = &'static str> {
    AGENTS.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_of_this_machine_is_a_small_elf_program() {
        let own = agent(std::env::consts::ARCH).unwrap();
        assert!(own.bytes.starts_with(b"\x7fELF"));
        assert_eq!(own.hash.len(), 16);
        assert!(architectures().any(|arch| arch == std::env::consts::ARCH));
        assert_eq!(agent("amd64"), agent("x86_64"));
        assert_eq!(agent("riscv64"), None);
    }

    /// Half of it compresses and hashes: zstd alone takes 0.4 MB. Where the musl target is not installed it carries glibc as well, of
    /// which 0.7 MB cannot be left out.
    #[test]
    fn every_agent_is_small() {
        for (arch, agent) in AGENTS {
            let limit = if agent.target.ends_with("-gnu") {
                2_300_000
            } else {
                1_700_000
            };
            assert!(agent.bytes.len() <= limit, "{arch}: {} bytes", agent.bytes.len());
        }
    }
}

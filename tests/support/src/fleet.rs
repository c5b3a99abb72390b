//! A fleet of awkward volumes and containers on a private engine: every kind that vole must get right.

use std::path::PathBuf;
use std::process::Command;

use crate::engine::{Engine, Family, IMAGE};

/// Sequences that stand in the fleet's names and must never reach a terminal.
pub const HOSTILE_MARKS: &[&[u8]] = &[
    b"\x1b[31mred",
    b"\x1b]0;pwn",
    b"\x1b]52;c;AAAA",
    b"\xff\x1b[2J",
    b"\x07",
    b"\x08",
    "\u{202e}".as_bytes(),
    b"latin1-\xe9",
];

/// Content of `escape-content.txt` in the volume `weird_names`.
pub const HOSTILE_CONTENT: &[u8] = b"text\x1b[31m\x1b]52;c;AAAA\x07\n";

/// What was built.
#[derive(Debug)]
pub struct Fleet {
    /// The anonymous volume whose container is gone.
    pub anonymous_orphan: String,
    /// Containers that write all the time; paused while sizes are compared.
    pub writers: Vec<String>,
    /// The directory behind the bind mount of `shop-web-1`.
    pub bind: PathBuf,
    /// The directory behind the volume `opt_bind`.
    pub data: PathBuf,
}

impl Fleet {
    /// Volumes whose data can be walked from this machine.
    pub const LOCAL: &[&str] = &[
        "shop_dbdata",
        "shop_uploads",
        "blog_data",
        "seeded_vol",
        "opt_bind",
        "empty_vol",
        "oldproj_pgdata",
        "labelled",
        "weird_names",
        "special_files",
        "deep_tree",
        "paused_vol",
        "exited_vol",
        "created_vol",
        "growing_vol",
        "shared_by_many",
    ];

    /// Volumes that the engine cannot mount.
    pub const BROKEN: &[&str] = &["opt_broken_bind", "opt_broken_nfs"];

    /// Builds the fleet.
    pub fn build(engine: &Engine) -> Self {
        let builder = Builder { engine };
        let bind = builder.directory("hostbind");
        let data = builder.directory("hostdata");
        std::fs::write(data.join("h.txt"), "hello\n").expect("the directory is ours");
        builder.shop(&bind);
        builder.blog();
        let anonymous_orphan = builder.anonymous();
        builder.options(&data);
        builder.contents();
        builder.states();
        Self {
            anonymous_orphan,
            writers: ["shop-db-1", "growing"].map(str::to_owned).to_vec(),
            bind,
            data,
        }
    }

    /// Freezes what writes; thawed when the answer is dropped.
    pub fn freeze<'a>(&'a self, engine: &'a Engine) -> Frozen<'a> {
        for name in &self.writers {
            engine.run(["pause", name]);
        }
        Frozen { fleet: self, engine }
    }
}

/// The writers, paused until this is dropped.
#[derive(Debug)]
pub struct Frozen<'a> {
    fleet: &'a Fleet,
    engine: &'a Engine,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        for name in &self.fleet.writers {
            // A failure shows in the next test that waits for a writer; a panic in a drop would hide this one's.
            let _thawed = self.engine.try_run(&["unpause", name]);
        }
    }
}

struct Builder<'a> {
    engine: &'a Engine,
}

impl Builder<'_> {
    fn directory(&self, name: &str) -> PathBuf {
        let path = self.engine.dir().join(name);
        std::fs::create_dir_all(&path).expect("the engine's directory is ours");
        path
    }

    fn volume(&self, options: &[&str], name: &str) {
        let args = ["volume", "create"]
            .into_iter()
            .chain(options.iter().copied())
            .chain([name]);
        self.engine.run(args);
    }

    /// Fills a volume by shell code that runs on this machine in its data directory.
    fn fill(&self, volume: &str, code: &str) {
        let output = Command::new("bash")
            .args(["-euc", code])
            .current_dir(self.engine.mount_point(volume))
            .output()
            .expect("bash starts");
        assert!(
            output.status.success(),
            "filling {volume}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn container(&self, name: &str, options: &[&str], code: &str) {
        let fixed = ["run", "-d", "--network", "none", "--name", name];
        let args = fixed
            .into_iter()
            .chain(options.iter().copied())
            .chain([IMAGE, "sh", "-c", code]);
        self.engine.run(args);
    }

    fn create(&self, name: &str, options: &[&str]) {
        let fixed = ["create", "--network", "none", "--name", name];
        let args = fixed.into_iter().chain(options.iter().copied()).chain([IMAGE, "true"]);
        self.engine.run(args);
    }

    /// A compose project in order: a database, uploads shared rw and ro, a tmpfs volume, a bind, a tmpfs.
    fn shop(&self, bind: &std::path::Path) {
        let project = "com.docker.compose.project=shop";
        for volume in ["dbdata", "uploads"] {
            let label = format!("com.docker.compose.volume={volume}");
            self.volume(&["--label", project, "--label", &label], &format!("shop_{volume}"));
        }
        // podman takes a size for a quota of the file system beneath, and refuses it on ext4.
        let option = match self.engine.family() {
            Family::Docker => "o=size=16m",
            Family::Podman => "o=nodev",
        };
        self.volume(
            &[
                "--label",
                project,
                "-o",
                "type=tmpfs",
                "-o",
                "device=tmpfs",
                "-o",
                option,
            ],
            "shop_cache",
        );
        self.fill(
            "shop_dbdata",
            "mkdir base; for i in $(seq 200); do echo row$i >base/$i; done; head -c 8M /dev/urandom >wal; chown -R 999:998 .; chmod 700 .",
        );
        self.fill(
            "shop_uploads",
            "mkdir img; for i in $(seq 3000); do echo $i >img/f$i; done",
        );
        let service = |name: &str| format!("com.docker.compose.service={name}");
        let (db, web, backup) = (service("db"), service("web"), service("backup"));
        self.container(
            "shop-db-1",
            &[
                "--label",
                project,
                "--label",
                &db,
                "-u",
                "app",
                "-v",
                "shop_dbdata:/var/lib/db",
                "-v",
                "shop_cache:/cache",
            ],
            "while :; do date >>/var/lib/db/log; sleep 1; done",
        );
        let bind = format!("{}:/etc/app:ro", bind.display());
        self.container(
            "shop-web-1",
            &[
                "--label",
                project,
                "--label",
                &web,
                "-v",
                "shop_uploads:/srv/uploads",
                "-v",
                &bind,
                "--tmpfs",
                "/scratch",
            ],
            "echo in-memory >/scratch/m; sleep 1000000",
        );
        self.container(
            "shop-backup-1",
            &["--label", project, "--label", &backup, "-v", "shop_uploads:/in:ro"],
            "sleep 1000000",
        );
    }

    /// Root-owned data under a process that is not root: a crash loop.
    fn blog(&self) {
        self.volume(&["--label", "com.docker.compose.project=blog"], "blog_data");
        self.fill("blog_data", "mkdir content; echo x >content/p");
        let labels = [
            "--label",
            "com.docker.compose.project=blog",
            "--label",
            "com.docker.compose.service=app",
        ];
        let rest = ["--restart", "on-failure:3", "-u", "app", "-v", "blog_data:/data"];
        self.container(
            "blog-app-1",
            &[labels.as_slice(), &rest].concat(),
            "echo hi >/data/content/new",
        );
    }

    fn anonymous(&self) -> String {
        self.container(
            "anon-user",
            &["-v", "/var/cache/x", "-v", "/var/lib/y"],
            "sleep 1000000",
        );
        let before = self.engine.volume_names();
        self.create("gone", &["-v", "/orphan"]);
        let orphan = self
            .engine
            .volume_names()
            .into_iter()
            .find(|name| !before.contains(name));
        let orphan = orphan.expect("an anonymous volume was made");
        self.engine.run(["rm", "-f", "gone"]);
        self.fill(&orphan, "echo lost >f");
        orphan
    }

    fn options(&self, data: &std::path::Path) {
        self.container("seeded", &["-v", "seeded_vol:/var/lib/seeded"], "sleep 1000000");
        let device = format!("device={}", data.display());
        self.volume(&["-o", "type=none", "-o", "o=bind", "-o", &device], "opt_bind");
        self.volume(
            &["-o", "type=none", "-o", "o=bind", "-o", "device=/no/such/dir"],
            "opt_broken_bind",
        );
        self.volume(
            &[
                "-o",
                "type=nfs",
                "-o",
                "o=addr=127.0.0.1,soft,timeo=5,retrans=1",
                "-o",
                "device=:/export",
            ],
            "opt_broken_nfs",
        );
        self.container("bindopt", &["-v", "opt_bind:/d"], "sleep 1000000");
        // podman mounts at create already where an image has content to copy; this one it only notes.
        self.create("broken-mount", &["-v", "opt_broken_bind:/d:nocopy"]);
        self.volume(&[], "empty_vol");
        self.volume(&["--label", "com.docker.compose.project=oldproj"], "oldproj_pgdata");
        self.fill("oldproj_pgdata", "head -c 20M /dev/zero >base.img");
        self.volume(&["--label", "team=infra", "--label", "note=ünïcode ✓"], "labelled");
    }

    fn contents(&self) {
        self.volume(&[], "weird_names");
        self.fill("weird_names", WEIRD_NAMES);
        self.volume(&[], "special_files");
        self.fill("special_files", SPECIAL_FILES);
        self.volume(&[], "deep_tree");
        self.fill(
            "deep_tree",
            "for i in $(seq 0 59); do mkdir d$i; cd d$i; done; echo bottom >f",
        );
    }

    fn states(&self) {
        let sleep = "sleep 1000000";
        self.container("paused", &["-v", "paused_vol:/d"], "echo p >/d/f; sleep 1000000");
        self.engine.run(["pause", "paused"]);
        self.container("exited0", &["-v", "exited_vol:/d"], "true");
        self.container("exited1", &["-v", "exited_vol:/d:ro"], "touch /d/x");
        self.create("created", &["-v", "created_vol:/d"]);
        self.container(
            "growing",
            &["-v", "growing_vol:/d"],
            "while :; do head -c 100000 /dev/zero >>/d/log; sleep 1; done",
        );
        for index in 1..=3 {
            self.container(&format!("shared{index}"), &["-v", "shared_by_many:/d"], sleep);
        }
        self.fill("shared_by_many", "echo q >q; mkdir sub");
        if self.engine.family() == Family::Docker {
            // podman refuses a mount that docker lists as a tmpfs of its own kind.
            self.container(
                "memory",
                &["--mount", "type=tmpfs,destination=/mem,tmpfs-size=1048576"],
                sleep,
            );
        }
    }
}

const WEIRD_NAMES: &str = r#"
    printf a >"$(printf 'latin1-\351\377')"
    printf a >"$(printf 'esc-\033[31mred\033[0m\033]0;pwn\007')"
    printf a >"$(printf 'nl-a\nb')"
    printf a >./-rf
    printf a >"$(printf 'tab\tcr\rbs\b.')"
    printf a >"$(printf 'rtl-\342\200\256gpj.exe')"
    printf a >"$(head -c 255 /dev/zero | tr '\0' L)"
    mkdir "$(printf 'dir-\377\033[2J')"
    printf a >"$(printf 'dir-\377\033[2J')/in"
    printf 'text\033[31m\033]52;c;AAAA\007\n' >escape-content.txt
    printf a >'日本語 é 👩‍👩‍👧'
    printf a >' leading space'
    printf a >'$(id)'
"#;

const SPECIAL_FILES: &str = r#"
    echo s >suid; chmod 4755 suid; mkdir sticky; chmod 3777 sticky; mkfifo fifo; mknod null c 1 3 || true
    truncate -s 1G sparse; echo h >hard1; ln hard1 hard2; ln -s nowhere dangling; ln -s /etc/shadow abs
    ln -s ../../../../etc up; ln -s loop2 loop1; ln -s loop1 loop2; echo n >noperm; chmod 0 noperm
    mkdir nodir; chmod 0 nodir; echo o >owned; chown 12345:54321 owned; touch -d 1970-01-01 old
    touch -d 2040-01-01 future; : >zero
"#;

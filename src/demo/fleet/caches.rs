//! What can be had again by a command: packages, build outputs, a builder's state.

use super::super::contents::{mix, random, text};
use super::super::lines::hex;
use super::super::tree::{Node, dir, file, link};
use super::{DAY, MIB, World, anonymous, volume};

/// Adds it.
pub(super) fn add(world: &mut World) {
    world.volume(volume("frontend_node_modules", 96 * DAY), node_modules());
    world.volume(anonymous(0x40de, 150 * DAY), checkout().age(143 * DAY));
    world.volume(volume("ci_cargo", 61 * DAY), cargo());
    world.volume(volume("buildx_buildkit_ci0_state", 44 * DAY), buildkit());
}

/// The packages of one build, in a volume that nobody named.
fn checkout() -> Node {
    let package = |i: u64| {
        let bytes = 2 * MIB + mix(i) % (22 * MIB);
        dir(
            format!("package-{}", hex(0x9ac + i, 6)),
            [
                file("package.json", text("{}\n")),
                file("bundle.js", random(b"/*! bundled */\n", bytes, 300 + i)),
            ],
        )
    };
    dir("", [dir("node_modules", (0..94).map(package))]).owner(1000, 1000)
}

/// What `cargo` keeps: crates that it downloaded, and what it built of them.
fn cargo() -> Node {
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by cargo.\n";
    let library = |i: u64| {
        let name = format!("lib{}.rlib", hex(0xca + i, 16));
        file(name, random(b"!<arch>\n", MIB + mix(i) % (9 * MIB), 400 + i))
    };
    let download = |i: u64| {
        let name = format!("{}-1.{}.0.crate", hex(0xc4 + i, 5), i % 9);
        file(name, random(b"\x1f\x8b\x08\x00", 30_000 + mix(i) % 400_000, 500 + i))
    };
    let registry = dir(
        "registry",
        [dir(
            "cache",
            [dir("index.crates.io-1949cf8c6b5b557f", (0..120).map(download))],
        )],
    );
    let target = dir(
        "target",
        [
            file("CACHEDIR.TAG", text(tag)),
            file(".rustc_info.json", text("{}\n")),
            dir("release", [dir("deps", (0..70).map(library))]),
        ],
    );
    dir("", [target, dir(".cargo", [registry])])
        .owner(1000, 1000)
        .age(58 * DAY)
}

/// The state of a BuildKit whose container is gone.
fn buildkit() -> Node {
    let blob = |i: u64| {
        file(
            hex(0xb10b + i, 64),
            random(b"\x1f\x8b\x08\x00", 3 * MIB + mix(i) % (30 * MIB), 600 + i),
        )
    };
    let blobs = dir("content", [dir("blobs", [dir("sha256", (0..26).map(blob))])]);
    dir(
        "",
        [
            file("buildkitd.lock", text("")),
            file("cache.db", random(b"\x00\x00\x00\x00", 256 << 10, 620)),
            dir(
                "runc-overlayfs",
                [blobs, file("metadata_v2.db", random(b"\x00\x00\x00\x00", MIB, 621))],
            ),
        ],
    )
    .age(41 * DAY)
}

/// What `npm install` brings back; deep, as those are.
fn node_modules() -> Node {
    let package = |name: &str, seed: u64| {
        let source = |i: u64| file(format!("{}.js", hex(seed + i, 6)), text(MODULE));
        let manifest = format!(
            "{{\n  \"name\": \"{name}\",\n  \"version\": \"{}.{}.{}\",\n  \"license\": \"MIT\"\n}}\n",
            1 + seed % 7,
            seed % 13,
            seed % 5
        );
        dir(
            name,
            [
                file("package.json", text(manifest)),
                file("README.md", text("# A package\n")),
                dir("dist", (0..12).map(source)),
            ],
        )
    };
    let names = [
        "accepts",
        "acorn",
        "ansi-styles",
        "chalk",
        "commander",
        "debug",
        "esbuild",
        "lodash",
        "ms",
        "picocolors",
        "postcss",
        "react",
        "react-dom",
        "rollup",
        "semver",
        "typescript",
        "vite",
        "yallist",
    ];
    // Packages that bring their own copies of packages that bring their own copies …
    let deep = (0..30u64).rev().fold(package("leaf", 1), |inner, level| {
        dir(
            format!("nested-{level}"),
            [file("package.json", text("{}\n")), dir("node_modules", [inner])],
        )
    });
    let binary = file("esbuild-linux-x64", random(b"\x7fELF\x02\x01\x01\x00", 10_350_592, 91)).mode(0o755);
    dir(
        "",
        (1u64..).zip(names).map(|(seed, name)| package(name, seed * 17)).chain([
            deep,
            dir(
                ".bin",
                [
                    link("vite", "../vite/dist/cli.js"),
                    link("tsc", "../typescript/bin/tsc"),
                ],
            ),
            dir(".cache", [binary]),
            file(".package-lock.json", text("{ \"lockfileVersion\": 3 }\n")),
        ]),
    )
    .owner(1000, 1000)
    .age(96 * DAY)
}

const MODULE: &str = "'use strict';\n\nmodule.exports = function identity(value) {\n  return value;\n};\n";

//! Packs what pages are made of: the executable has it once, and as browsers take it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

const FOLDER: &str = "src/server/dashboard/assets";

const ASSETS: [&str; 4] = ["app.js", "charts.js", "uplot.js", "icon.svg"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    for name in ASSETS {
        let from = Path::new(FOLDER).join(name);
        println!("cargo::rerun-if-changed={}", from.display());
        let to = File::create(out.join(format!("{name}.gz")))?;
        let mut encoder = GzEncoder::new(to, Compression::best());
        encoder.write_all(&fs::read(&from)?)?;
        encoder.finish()?;
    }
    Ok(())
}

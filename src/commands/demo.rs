//! `loadcmp demo`: what a first comparison of real engines needs.

use super::{Told, block_on, say};
use clap::Subcommand;
use loadcmp::run::{Install, demo_install};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    command: DemoCommand,
}

#[derive(Subcommand)]
enum DemoCommand {
    /// Put a GGUF file into a running Ollama, and print the commands that serve and compare the same file elsewhere.
    ///
    /// The file is checked first: cut short, no model, or larger than the memory that is left. It is sent through Ollama's API
    /// (/api/blobs, /api/create) and loaded once. The system message that the file's chat template puts in by itself becomes
    /// the model's own, so that Ollama renders the prompts that llama-server does.
    #[command(after_help = crate::EXIT_CODES)]
    Install(InstallArgs),
}

#[derive(clap::Args)]
struct InstallArgs {
    /// The model's file
    #[arg(value_name = "FILE.gguf")]
    file: PathBuf,
    /// Address of the Ollama
    #[arg(long, value_name = "URL", default_value = "127.0.0.1:11434")]
    ollama: String,
    /// Name of the model there. Default: the file's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// System message of the model. Default: the one in the file's chat template
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Template of the model, in Ollama's language. Default: Ollama chooses one by the file's
    #[arg(long, value_name = "TEXT")]
    template: Option<String>,
    /// Send the file to an Ollama on another machine
    #[arg(long)]
    allow_remote: bool,
    /// Replace a model of that name
    #[arg(long)]
    replace: bool,
    /// Install a file that is larger than the memory that is left
    #[arg(long)]
    anyway: bool,
    /// Print nothing but the result
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn demo(args: DemoArgs) -> Told {
    let DemoCommand::Install(args) = args.command;
    let asked = Install {
        ollama: args.ollama,
        file: args.file,
        name: args.name,
        system: args.system,
        template: args.template,
        allow_remote: args.allow_remote,
        replace: args.replace,
        anyway: args.anyway,
        quiet: args.quiet,
    };
    let done = block_on(demo_install(&asked))??;
    let mut text =
        format!("{}\n\nThe same file in llama-server, with the same settings:\n  {}\n\n", done.what, done.serve);
    text += &format!("The comparison:\n  {}\n", done.compare);
    for note in &done.notes {
        text += &format!("\n{note}\n");
    }
    say(&text)?;
    Ok(0)
}

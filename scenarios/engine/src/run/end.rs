//! What is done when a script is over, whatever its end.

use tunfarm_lang::ast::Script;

use super::{World, run_command};

/// How long a clean-up command may take, in microseconds.
const CLEAN_UP_LIMIT_US: i64 = 60_000_000;

impl World {
    /// Closes the script's descriptors, resets the connections that may live, runs the clean-up
    /// commands.
    pub fn clean_up(&mut self, script: &Script) {
        self.descriptors.close_all();
        let resets: Vec<_> = self.flows.iter().flat_map(|f| f.resets()).collect();
        for packet in resets {
            // The connection may be gone; the kernel then ignores it.
            if self.datapath.inject(&packet.emit(), None).is_ok() {
                let now = self.clock.now_us();
                self.log.packet(now, 0, &format!("< {packet}"));
            }
        }
        for command in &script.cleanup {
            let now = self.clock.now_us();
            let line = script.source.position(command.span.start).line;
            self.log.say(now, line, &format!("`{}`", command.node.0));
            let result = run_command(
                &command.node.0,
                &self.dir,
                CLEAN_UP_LIMIT_US,
                &mut self.outputs,
            );
            if let Err(why) = result {
                self.log.say(now, line, &format!("cleaning up: {why}"));
            }
        }
    }
}

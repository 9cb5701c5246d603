//! Which keys a client's bytes may write. Commands are read as they pass by, and the server itself
//! says which of their words are keys.
//!
//! Invariant: the names of a command's keys are known before the command's last byte is passed on.
//! So no key is made whose name is not known.

use std::collections::{HashMap, HashSet};

use redis::{Connection, RedisResult, Value, cmd, from_redis_value_ref};

/// A longer word is a value: nobody gives a key such a long name.
const LONGEST: usize = 4096;

/// Words that hold no keys and may hold secrets.
const NEVER: [&str; 7] = ["auth", "hello", "acl", "config", "client", "migrate", "debug"];

/// The names of a script's keys follow the script and their number. A script often makes keys of
/// its other words, too.
const SCRIPTS: [&str; 3] = ["eval", "evalsha", "fcall"];

/// Which words of a command are keys that it may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    None,
    /// From the first to the last, with this step. A negative last counts from the end.
    At(usize, i64, usize),
    /// All words from this one on.
    From(usize),
}

/// The commands of a server.
#[derive(Debug, Default)]
pub(super) struct Commands {
    known: HashMap<String, Keys>,
}

impl Commands {
    /// Asks the server. If the server does not tell, each command counts as writing every word that
    /// it names.
    pub(super) fn ask(connection: &mut Connection) -> RedisResult<Commands> {
        let mut known = HashMap::new();
        match cmd("COMMAND").query::<Vec<Value>>(connection) {
            Ok(entries) => entries.iter().for_each(|entry| add(&mut known, entry)),
            Err(error) if error.is_io_error() => return Err(error),
            Err(_refused) => {}
        }
        Ok(Commands { known })
    }

    /// The positions of a command's keys. `sub` is the command's second word.
    fn keys(&self, name: &str, sub: &str) -> Keys {
        if NEVER.contains(&name) {
            return Keys::None;
        }
        if SCRIPTS.contains(&name) {
            return Keys::From(3);
        }
        let known = self.known.get(&format!("{name}|{sub}")).or_else(|| self.known.get(name));
        known.copied().unwrap_or(Keys::From(1))
    }
}

/// Adds an entry of `COMMAND`: name, arity, flags, first key, last key, step. From version 7 on,
/// the tenth element has the subcommands.
fn add(known: &mut HashMap<String, Keys>, entry: &Value) {
    let Value::Array(entry) = entry else { return };
    let [name, _, flags, first, last, step, rest @ ..] = &entry[..] else { return };
    let number = |value| from_redis_value_ref::<i64>(value).unwrap_or_default();
    let Ok(name) = from_redis_value_ref::<String>(name) else { return };
    let flags: HashSet<String> = match flags {
        Value::Array(flags) | Value::Set(flags) => {
            flags.iter().flat_map(from_redis_value_ref).collect()
        }
        _ => HashSet::new(),
    };
    let (first, last, step) = (number(first), number(last), number(step));
    let keys = if flags.contains("readonly") {
        Keys::None
    } else if flags.contains("movablekeys") {
        Keys::From(1)
    } else if flags.contains("write") && first > 0 {
        Keys::At(first.unsigned_abs() as usize, last, step.max(1).unsigned_abs() as usize)
    } else {
        Keys::None
    };
    known.insert(name.to_lowercase(), keys);
    if let Some(Value::Array(subcommands)) = rest.get(3) {
        subcommands.iter().for_each(|entry| add(known, entry));
    }
}

/// Reads what one client sends.
#[derive(Debug, Default)]
pub(super) struct Reader {
    state: State,
    line: Vec<u8>,
    /// The words of the command so far, each only as long as a key can be.
    words: Vec<Vec<u8>>,
    /// How many words the command will have.
    count: usize,
}

#[derive(Debug, Default)]
enum State {
    /// A line: the count of a command's words, or a command as people type it.
    #[default]
    Start,
    /// A line: the length of a word.
    Length,
    /// This many bytes of a word are still to come, and the two at its end.
    Word(usize, Vec<u8>),
}

impl Reader {
    /// The names of the keys that may be written by the commands whose last byte is among these
    /// bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8], commands: &Commands) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        while !bytes.is_empty() {
            match &mut self.state {
                State::Word(left, word) => {
                    let taken = bytes.len().min(*left);
                    let room = LONGEST.saturating_add(2).saturating_sub(word.len()).min(taken);
                    word.extend_from_slice(&bytes[..room]);
                    *left -= taken;
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        let mut word = std::mem::take(word);
                        if word.ends_with(b"\r\n") {
                            word.truncate(word.len() - 2);
                        } else {
                            word.clear();
                        }
                        self.words.push(word);
                        self.state = State::Length;
                        self.end_of_word(commands, &mut names);
                    }
                }
                State::Start | State::Length => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let taken = end.map_or(bytes.len(), |end| end + 1);
                    self.line.extend_from_slice(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    if end.is_some() {
                        let line = std::mem::take(&mut self.line);
                        self.end_of_line(line.trim_ascii(), commands, &mut names);
                    }
                }
            }
        }
        names
    }

    fn end_of_line(&mut self, line: &[u8], commands: &Commands, names: &mut Vec<Vec<u8>>) {
        let number = |sign: u8| {
            let digits = line.strip_prefix(&[sign])?;
            str::from_utf8(digits).ok()?.parse::<usize>().ok()
        };
        match self.state {
            State::Length => {
                self.state = number(b'$').map_or(State::Start, |length| {
                    State::Word(length.saturating_add(2), Vec::new())
                });
            }
            _ => match number(b'*') {
                Some(0) => {}
                Some(count) => (self.count, self.state) = (count, State::Length),
                None => {
                    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                    self.words = words.map(<[u8]>::to_vec).collect();
                    self.count = self.words.len();
                    self.end_of_word(commands, names);
                }
            },
        }
    }

    /// Judges a complete command.
    fn end_of_word(&mut self, commands: &Commands, names: &mut Vec<Vec<u8>>) {
        if self.words.len() < self.count {
            return;
        }
        self.state = State::Start;
        let words = std::mem::take(&mut self.words);
        let lower = |at: usize| {
            words
                .get(at)
                .map(|word| String::from_utf8_lossy(word).to_lowercase())
                .unwrap_or_default()
        };
        let (first, last, step) = match commands.keys(&lower(0), &lower(1)) {
            Keys::None => return,
            Keys::At(first, last, step) => {
                let from_end = i64::try_from(words.len()).unwrap_or(i64::MAX) + last;
                (first, if last < 0 { from_end } else { last }, step)
            }
            Keys::From(first) => (first, i64::MAX, 1),
        };
        let last = usize::try_from(last.saturating_add(1)).unwrap_or_default().min(words.len());
        if first < last {
            names.extend(
                words[first..last].iter().step_by(step).filter(|name| !name.is_empty()).cloned(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Commands, Keys, LONGEST, Reader};

    fn commands() -> Commands {
        let known = [
            ("get", Keys::None),
            ("set", Keys::At(1, 1, 1)),
            ("mset", Keys::At(1, -1, 2)),
            ("rename", Keys::At(1, 2, 1)),
            ("sort", Keys::From(1)),
            ("ping", Keys::None),
            ("xgroup", Keys::None),
            ("xgroup|create", Keys::At(2, 2, 1)),
        ];
        Commands { known: known.map(|(name, keys)| (name.to_owned(), keys)).into() }
    }

    fn sent(commands: &[&[&str]]) -> Vec<u8> {
        let word = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
        let command = |words: &&[&str]| {
            format!("*{}\r\n{}", words.len(), words.iter().map(word).collect::<String>())
        };
        commands.iter().map(command).collect::<String>().into_bytes()
    }

    fn names(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut reader = Reader::default();
        let read = bytes.chunks(piece).flat_map(|bytes| reader.read(bytes, &commands()));
        read.map(|name| String::from_utf8(name).unwrap()).collect()
    }

    #[test]
    fn keys_that_are_written_are_named_wherever_the_bytes_are_cut() {
        let bytes = sent(&[
            &["GET", "read"],
            &["SET", "one", "value", "EX", "10"],
            &["mset", "two", "v", "three", "v"],
            &["PING"],
            &["RENAME", "three", "four"],
            &["XGROUP", "CREATE", "five", "group", "$", "MKSTREAM"],
            &["EVAL", "redis.call('SET', KEYS[1], 1)", "1", "six", "seven"],
            &["NEW.COMMAND", "eight"],
            &["set", "", "the empty name"],
            &["set", "line\r\nbreak", ""],
        ]);
        let all = [
            "one",
            "two",
            "three",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "line\r\nbreak",
        ];

        for piece in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(names(&bytes, piece), all, "{piece}");
        }
    }

    #[test]
    fn no_secret_is_taken_for_a_key() {
        let bytes = sent(&[
            &["AUTH", "user", "secret"],
            &["HELLO", "3", "AUTH", "user", "secret"],
            &["CONFIG", "SET", "requirepass", "secret"],
            &["ACL", "SETUSER", "me", ">secret"],
            &["MIGRATE", "host", "1", "key", "0", "10", "AUTH", "secret"],
        ]);

        assert_eq!(names(&bytes, bytes.len()), Vec::<String>::new());
    }

    #[test]
    fn a_command_as_people_type_it_and_a_value_of_any_size_are_read() {
        let long = "v".repeat(LONGEST * 3);
        let bytes = [
            b"set typed x\r\n\r\nPING\n".to_vec(),
            sent(&[&["SET", "k", &long], &["SET", "l", "v"]]),
        ];

        assert_eq!(names(&bytes.concat(), 1000), ["typed", "k", "l"]);
    }
}

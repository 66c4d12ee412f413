//! What became of the texts that were read last: most cells of a table are repetitions.

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

/// Answers to the texts of one column that were asked last.
pub(crate) struct Memo<A> {
    places: Vec<Option<Place<A>>>,
    hasher: RandomState,
}

/// A short text and its answer.
#[derive(Clone, Copy)]
struct Place<A> {
    text: [u8; LONGEST],
    length: u8,
    answer: A,
}

/// Longer texts are seldom repeated, and are asked each time.
const LONGEST: usize = 30;

/// A power of two; all places of a column fit into a core's own memory.
const PLACES: usize = 1 << 11;

impl<A: Copy> Memo<A> {
    pub(crate) fn new() -> Self {
        Self {
            places: vec![None; PLACES],
            hasher: RandomState::default(),
        }
    }

    /// Returns the answer to a text, which `ask` gives where it is not known any more.
    ///
    /// `ask` must depend on the text alone.
    pub(crate) fn of(&mut self, text: &str, ask: impl FnOnce(&str) -> A) -> A {
        let bytes = text.as_bytes();
        if bytes.len() > LONGEST {
            return ask(text);
        }
        let place = &mut self.places[self.hasher.hash_one(bytes) as usize % PLACES];
        if let Some(place) = place
            && &place.text[..usize::from(place.length)] == bytes
        {
            return place.answer;
        }
        let answer = ask(text);
        let mut kept = [0; LONGEST];
        kept[..bytes.len()].copy_from_slice(bytes);
        *place = Some(Place {
            text: kept,
            // OK because it is at most `LONGEST`.
            length: bytes.len() as u8,
            answer,
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_those_to_the_text_itself() {
        let mut memo = Memo::new();
        let mut asked = 0;
        // More texts than places, in an order that comes back to some of them.
        for step in 0..20_000usize {
            let number = step * step % 5003;
            let text = format!("{number}{}", "\0".repeat(step % 3 * 14));
            let found = memo.of(&text, |text| {
                asked += 1;
                (text.len(), number)
            });
            assert_eq!(found, (text.len(), number));
        }
        assert!(asked < 20_000, "nothing was remembered");
        assert!(asked > PLACES, "there were too few texts for the test");
    }
}

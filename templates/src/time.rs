//! Times in words: exact in UTC without scripts; the script puts them into the reader's zone.

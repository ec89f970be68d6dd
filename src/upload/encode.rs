//! A sealed segment becomes the bytes of one object.

//! What users type, in the many ways they type it: numbers, addresses, seg:off, symbols, `step 1234`.

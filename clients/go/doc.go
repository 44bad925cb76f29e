// Package touchstone verifies prices of a Touchstone network.
//
// A consumer pins one network; whoever hands it a price update, over whatever way, can withhold it but cannot forge, alter
// or disguise it. A [VerifiedUpdate] shows no number: [VerifiedUpdate.Price] hands those out, against a [Policy] that begins
// with a statement about time. Package httpclient fetches updates from aggregators, none of which is trusted.
//
// All data here is public, so nothing runs in constant time, and nothing signs.
package touchstone

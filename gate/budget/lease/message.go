package lease

import "time"

// A Request is what a process asks the coordinator. All amounts are milli-tokens: 1000 pay for a plain retry.
type Request struct {
	Budget  string // whose bucket
	Process string // who asks; a process that starts again takes a new name
	Epoch   uint64 // of the coordinator last heard of; 0 for none
	Seq     uint64 // 1, 2, 3, …: a new one for each request that is not merely repeated
	Deposit int64  // what first attempts earned lately
	Return  int64  // what is left of the lease
	Want    int64  // what the process would like to have
}

// A Grant is the answer to the request with the same Seq.
type Grant struct {
	Budget  string
	Process string
	Seq     uint64
	Epoch   uint64        // of the coordinator: a higher one than known voids what was lent
	Tokens  int64         // lent, in milli-tokens
	Valid   time.Duration // counted from before the request was sent
}

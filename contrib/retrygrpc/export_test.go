package retrygrpc

// For tests.
var (
	ReadPushback  = pushback
	ReadRetryInfo = retryInfo
	Declared      = declared
)

module github.com/relent-go/relent/contrib

go 1.26.0

require (
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/relent-go/relent v0.0.0
	github.com/sony/gobreaker/v2 v2.4.0
)

require github.com/alpacahq/alpaca-trade-api-go/v3 v3.9.1

require github.com/prometheus/client_model v0.6.3

require go.yaml.in/yaml/v3 v3.0.6

require (
	github.com/grafana/grafana-foundation-sdk/go v0.0.22
	github.com/prometheus/prometheus v0.306.0
)

require (
	github.com/adshao/go-binance/v2 v2.8.7
	github.com/bitly/go-simplejson v0.5.0 // indirect
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/coder/websocket v1.8.15
	github.com/google/uuid v1.6.0 // indirect
	github.com/gorilla/websocket v1.5.3
	github.com/jpillora/backoff v1.0.0 // indirect
	github.com/prometheus/client_golang v1.25.0
	github.com/shopspring/decimal v1.4.0
)

replace github.com/relent-go/relent => ../

package gateway

import "github.com/prometheus/client_golang/prometheus"

// figures shows what the proxy does, beside what its registry shows. The labels are routes as they are configured, and the
// closed list of results.
type figures struct{ g *Gateway }

var (
	requests = prometheus.NewDesc("relent_proxy_requests_total", "Requests by route and by what became of them; an empty route is none.", []string{"route", "result"}, nil)
	buffered = prometheus.NewDesc("relent_proxy_buffered_bytes", "Memory that bodies of requests take.", nil, nil)
	roomy    = prometheus.NewDesc("relent_proxy_buffer_limit_bytes", "Memory that bodies of requests may take.", nil, nil)
	clients  = prometheus.NewDesc("relent_proxy_client_connections", "Connections of clients that are open.", nil, nil)
)

// Describe implements prometheus.Collector.
func (figures) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requests, buffered, roomy, clients} {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (f figures) Collect(c chan<- prometheus.Metric) {
	every := f.g.live.Load().every
	for _, r := range results {
		c <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(f.g.results[r].Load()), "", string(r))
		for _, one := range every {
			c <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(one.results[r].Load()), one.match, string(r))
		}
	}
	c <- prometheus.MustNewConstMetric(buffered, prometheus.GaugeValue, float64(f.g.full-f.g.room.free.Load()))
	c <- prometheus.MustNewConstMetric(roomy, prometheus.GaugeValue, float64(f.g.full))
	c <- prometheus.MustNewConstMetric(clients, prometheus.GaugeValue, float64(f.g.open()))
}

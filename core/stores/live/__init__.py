"""The live world: the ports over Redis Cluster, Cassandra, sharded MySQL and Kafka. Needs the extra twit[live]."""

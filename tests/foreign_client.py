#!/usr/bin/env python3
"""Asks a model-worker for a forecast as a client that knows nothing of MOrA but what server reflection tells.

Usage: foreign_client.py HOST:PORT NAMESPACE NAME

Prints one JSON object: the services with their methods, and the answer of ForecastPeak for the Deployment
NAME in NAMESPACE. Ends with 1 and one line on standard error when anything fails, with 2 on a wrong call.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

DEADLINE_SECONDS = 30
FORECAST_SERVICE = "mora.v1.ForecastService"


def describe(database, pool):
    """The methods of every service the server offers, by service name."""
    return {
        name: [method.name for method in pool.FindServiceByName(name).methods]
        for name in sorted(database.get_services())
    }


def forecast_peak(channel, pool, namespace, name):
    """The answer of ForecastPeak as plain data."""
    method = pool.FindServiceByName(FORECAST_SERVICE).FindMethodByName("ForecastPeak")
    workload = {"namespace": namespace, "kind": "WORKLOAD_KIND_DEPLOYMENT", "name": name}
    request = json_format.ParseDict({"workload": workload}, GetMessageClass(method.input_type)())
    call = channel.unary_unary(
        f"/{FORECAST_SERVICE}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    return json_format.MessageToDict(call(request, timeout=DEADLINE_SECONDS))


def main(address, namespace, name):
    # A proxy of the machine does not apply to the loopback ports of a test.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        grpc.channel_ready_future(channel).result(timeout=DEADLINE_SECONDS)
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        services = describe(database, pool)
        forecast = forecast_peak(channel, pool, namespace, name)
    print(json.dumps({"services": services, "forecast": forecast}, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print("usage: foreign_client.py HOST:PORT NAMESPACE NAME", file=sys.stderr)
        sys.exit(2)
    try:
        main(*sys.argv[1:])
    except grpc.FutureTimeoutError:
        print(f"nothing answers gRPC at {sys.argv[1]}", file=sys.stderr)
        sys.exit(1)
    except grpc.RpcError as error:
        print(f"{error.code().name}: {error.details()}", file=sys.stderr)
        sys.exit(1)
    except KeyError as error:
        print(f"reflection does not know {error}", file=sys.stderr)
        sys.exit(1)

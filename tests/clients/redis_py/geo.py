"""Places on earth."""

from checks import case, check, check_error, check_near, scored

SICILY = (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
EDGES = (12.758489, 38.788135, "edge1", 17.241510, 38.788135, "edge2")


@case
def places_are_added_and_found(r):
    check(2, r.geoadd("g", SICILY))
    check(0, r.geoadd("g", SICILY))
    check(0, r.geoadd("g", (13.0, 38.0, "Palermo"), nx=True))
    check(1, r.geoadd("g", (13.0, 38.0, "Palermo", 1.0, 1.0, "new"), xx=True, ch=True))
    check(1, r.geoadd("g", SICILY, ch=True))
    check(166274.1516, float(r.geodist("g", "Palermo", "Catania")))
    check(166.2742, float(r.geodist("g", "Palermo", "Catania", unit="km")))
    check(103.3182, float(r.geodist("g", "Palermo", "Catania", unit="mi")))
    check(545518.8700, float(r.geodist("g", "Palermo", "Catania", unit="ft")))
    check(None, r.geodist("g", "Palermo", "missing"))
    check(["sqc8b49rny0", "sqdtr74hyu0", None], r.geohash("g", "Palermo", "Catania", "missing"))
    palermo, missing = r.geopos("g", "Palermo", "missing")
    check((13.361389338970184, 38.1155563954963), tuple(palermo))
    check(None, missing)
    check(3479099956230698.0, r.zscore("g", "Palermo"))
    check_error(
        "invalid longitude,latitude pair 200.000000,10.000000", r.geoadd, "g", (200, 10, "x")
    )


@case
def places_are_searched_by_radius_and_by_box(r):
    r.geoadd("g", SICILY + EDGES)
    around = {"longitude": 15, "latitude": 37, "unit": "km"}
    check(["Catania", "Palermo"], r.geosearch("g", **around, radius=200, sort="ASC"))
    check(["Palermo", "Catania"], r.geosearch("g", **around, radius=200, sort="DESC"))
    check(
        ["Catania", "Palermo", "edge2", "edge1"],
        r.geosearch("g", **around, width=400, height=400, sort="ASC"),
    )
    check(["Catania"], r.geosearch("g", **around, radius=200, sort="ASC", count=1))
    check(1, len(r.geosearch("g", **around, radius=200, count=1, any=True)))
    near = r.geosearch("g", member="Palermo", radius=100, unit="km", sort="ASC")
    check(["Palermo", "edge1"], near)
    check([], r.geosearch("g", longitude=0, latitude=0, radius=1, unit="m"))
    check([], r.geosearch("missing", **around, radius=200))
    check_error(
        "could not decode requested zset member",
        r.geosearch, "g", member="missing", radius=1, unit="mi",
    )


@case
def searches_tell_distance_hash_and_position(r):
    r.geoadd("g", SICILY)
    around = {"longitude": 15, "latitude": 37, "radius": 200, "unit": "km", "sort": "ASC"}
    (name, distance), _ = r.geosearch("g", **around, withdist=True)
    check(("Catania", 56.4413), (name, float(distance)))
    (name, number), _ = r.geosearch("g", **around, withhash=True)
    check(("Catania", 3479447370796909), (name, number))
    _, (name, distance, number, position) = r.geosearch(
        "g", **around, withdist=True, withhash=True, withcoord=True
    )
    check(("Palermo", 190.4424, 3479099956230698), (name, float(distance), number))
    check((13.361389338970184, 38.1155563954963), tuple(position))


@case
def searches_are_stored(r):
    r.geoadd("g", SICILY + EDGES)
    around = {"longitude": 15, "latitude": 37, "unit": "km"}
    check(3, r.geosearchstore("d", "g", **around, width=400, height=400, sort="ASC", count=3))
    check({"Catania", "Palermo", "edge2"}, set(r.zrange("d", 0, -1)))
    check(2, r.geosearchstore("d", "g", **around, radius=200, storedist=True))
    check(["Catania", "Palermo"], r.zrange("d", 0, -1))
    check_near(56.4413, r.zscore("d", "Catania"), 0.0001)
    check(0, r.geosearchstore("d", "missing", **around, radius=200))
    check(0, r.exists("d"))


@case
def the_older_searches(r):
    r.geoadd("g", SICILY)
    found = r.georadius("g", 15, 37, 200, unit="km", withdist=True, sort="DESC", count=1)
    check([("Palermo", 190.4424)], scored(found))
    check(["Palermo"], r.georadiusbymember("g", "Palermo", 100, unit="km"))
    check(2, r.georadius("g", 15, 37, 200, unit="km", store="d"))
    check(2, r.zcard("d"))
    check(1, r.georadiusbymember("g", "Palermo", 100, unit="km", store_dist="d"))
    check(0.0, r.zscore("d", "Palermo"))
